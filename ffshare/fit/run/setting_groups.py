"""Settings of a run that belong together: what there is to set, what it means, and its default.

The defaults are those of the records that the settings become (`ffshare.fit.Weights`, `ffshare.fit.Priors`, …), so that
neither says something of its own.
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from ffshare.fit.identifiability import IdentifiabilitySettings
from ffshare.fit.priors import PRIOR_WIDTHS, Priors
from ffshare.fit.run.soft_ties import CANDIDATES, CHOOSE, N_FOLDS
from ffshare.fit.solve import SolverSettings
from ffshare.fit.weights import Weights

Kind = Literal["arrow", "extxyz", "qcschema", "spice", "forcebalance", "scans"]

_WEIGHTS, _PRIORS, _SOLVER, _LIMITS = Weights(), Priors(), SolverSettings(), IdentifiabilitySettings()
_CANDIDATES = ", ".join(f"{strength:g}" for strength in CANDIDATES)


def listed(given: object) -> object:
    """One text as a list of one."""
    return (given,) if isinstance(given, str) else given


def _no_truth_value(given: object) -> object:
    if isinstance(given, bool):
        raise ValueError(f"Input should be a number, not {str(given).lower()}")
    return given


def _number_or_choose(given: object) -> float | str:
    if given == CHOOSE:
        return CHOOSE
    try:
        strength = float(_no_truth_value(given))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        strength = math.nan
    if not 0.0 <= strength < math.inf:
        raise ValueError(f"Input should be a number from 0 up, or {CHOOSE}")
    return strength


Texts = Annotated[tuple[str, ...], BeforeValidator(listed)]
Number = Annotated[float, BeforeValidator(_no_truth_value)]
Count = Annotated[int, BeforeValidator(_no_truth_value)]


class Settings(BaseModel):
    """Settings that belong together. What they do not name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReferenceSettings(Settings):
    """What is fitted to."""

    files: Texts = Field(
        default=("gfn2",),
        min_length=1,
        description="Files or folders (.parquet, .arrow, .xyz, QCSchema .json, SPICE .hdf5, qdata.txt, scans .jsonl), "
        "one or a list, or the name of data that ship with ffshare. One level of theory a fit.",
    )
    kind: Kind | None = Field(default=None, description="Format, where the name of a file does not tell it.")
    level: str | None = Field(
        default=None,
        description="Level of theory of files that do not state theirs; of files that hold several, the one to take.",
    )
    smiles: str | None = Field(default=None, description="SMILES of the molecule of files that give none.")
    energy_unit: str | None = Field(default=None, description="Energy unit of XYZ files; null: eV.")
    length_unit: str | None = Field(default=None, description="Length unit of XYZ files; null: angstrom.")
    most_molecules: Count | None = Field(
        default=None, ge=1, description="Take the first so many molecules only, for a quick trial; null: all."
    )


class WeightSettings(Settings):
    """Errors allowed: a residual is divided by the error that is allowed for it."""

    energy: Number = Field(
        default=_WEIGHTS.energy,
        gt=0,
        description="Error allowed for an energy [kcal/mol]; .inf: energies do not count.",
    )
    force: Number = Field(
        default=_WEIGHTS.force,
        gt=0,
        description="Error allowed for a component of a force [kcal/mol/Å]; .inf: forces do not count.",
    )
    energy_per: Literal["molecule", "atom"] = Field(
        default="molecule", description="Whether `energy` is the error of a molecule or of each of its atoms."
    )
    softening: Number = Field(
        default=_WEIGHTS.softening,
        gt=0,
        description="Energy above the lowest conformer at which squared errors have doubled [kcal/mol]; .inf: never.",
    )
    clash: Number = Field(
        default=_WEIGHTS.clash,
        gt=0,
        description="A conformer in which what is not fitted is this much above the reference, from their median over "
        "the molecule, is left out [kcal/mol]; .inf: none is.",
    )

    def weights(self) -> Weights:
        """The record."""
        return Weights(**self.model_dump())


class WidthSettings(Settings):
    """Standard deviations of the Gaussian priors, by kind of parameter."""

    bond_k: Number = Field(default=PRIOR_WIDTHS["bond k"], gt=0, description="Force constants of bonds [kcal/mol/Å²].")
    length: Number = Field(default=PRIOR_WIDTHS["length"], gt=0, description="Bond lengths [Å].")
    angle_k: Number = Field(
        default=PRIOR_WIDTHS["angle k"], gt=0, description="Force constants of angles [kcal/mol/rad²]."
    )
    angle: Number = Field(
        default=round(math.degrees(PRIOR_WIDTHS["angle"]), 9),
        gt=0,
        description="Rest angles [degree], in degrees here only.",
    )
    barrier: Number = Field(default=PRIOR_WIDTHS["barrier"], gt=0, description="Barriers of torsion terms [kcal/mol].")

    def widths(self) -> dict[str, float]:
        """Widths by kind, in internal units."""
        given = self.model_dump()
        return {kind: given[kind.replace(" ", "_")] for kind in PRIOR_WIDTHS} | {"angle": math.radians(self.angle)}


class PriorSettings(Settings):
    """What is known before the data: each parameter is near its value in the force field."""

    strength: Number = Field(
        default=_PRIORS.strength, ge=0, description="Factor of all priors; 0: none, widths only scale."
    )
    widths: WidthSettings = Field(
        default=WidthSettings(),
        description="Standard deviation of each kind of parameter round its value in the force field.",
    )


class SoftTieSettings(Settings):
    """Rules that are drawn towards the more general rules that they refine (SMIRNOFF force fields only)."""

    strength: Annotated[float | Literal["choose"], PlainValidator(_number_or_choose)] = Field(
        default=0.0,
        description="0: none. 1: as if each parameter were known to equal that of its parent to within a prior width. "
        f"choose: the one of {_CANDIDATES} whose fits do best on molecules that they have not seen ({N_FOLDS} folds); "
        "see soft_ties in fit.json.",
    )


class SolverSettingsOfRun(Settings):
    """When the solver stops."""

    max_steps: Count = Field(default=_SOLVER.max_steps, ge=1, description="Most steps tried.")
    tolerance: Number = Field(
        default=_SOLVER.tolerance,
        gt=0,
        description="Converged when a step promises less than this, over the objective + 1.",
    )


class IdentifiabilitySettingsOfRun(Settings):
    """What counts as determined by the data."""

    tolerance: Number = Field(
        default=_LIMITS.tolerance,
        gt=0,
        lt=1,
        description="Least eigenvalue of the normal matrix, over its largest, of a combination that counts.",
    )
    doubt: Number = Field(
        default=_LIMITS.doubt,
        gt=0,
        lt=1,
        description="Below this they are looked at again through the rows of the fit.",
    )
