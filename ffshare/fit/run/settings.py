"""Settings of a fit that is run from a file: what there is to set, what it means, and its default.

The descriptions here are the comments of the file that `ffshare init` writes, and the defaults are those of the records
that the settings become (`ffshare.fit.Weights`, `ffshare.fit.Priors`, …), so that neither says something of its own.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ffshare.fit.fit import FitSettings
from ffshare.fit.identifiability import IdentifiabilitySettings
from ffshare.fit.parameters import BONDED
from ffshare.fit.priors import PRIOR_WIDTHS, Priors
from ffshare.fit.solve import SolverSettings
from ffshare.fit.weights import Weights

ChargeMethod = Literal["reference", "openff", "nagl", "library", "gasteiger", "none"]
Section = Literal["Bonds", "Angles", "ProperTorsions", "ImproperTorsions"]
Kind = Literal["arrow", "extxyz", "qcschema", "spice", "forcebalance", "scans"]

_WEIGHTS, _PRIORS, _SOLVER, _LIMITS = Weights(), Priors(), SolverSettings(), IdentifiabilitySettings()


def _listed(given: object) -> object:
    """One text as a list of one."""
    return (given,) if isinstance(given, str) else given


def _no_truth_value(given: object) -> object:
    if isinstance(given, bool):
        raise ValueError(f"Input should be a number, not {str(given).lower()}")
    return given


def _files_alone(given: object) -> object:
    """`reference: gfn2` for `reference: {files: gfn2}`."""
    return {"files": given} if isinstance(given, str | list | tuple) else given


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
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

    strength: Number = Field(
        default=0.0,
        ge=0,
        description="0: none. 1: as if each parameter were known to equal that of its parent to within a prior width.",
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


class RunSettings(Settings):
    """Everything that a fit is told."""

    scheme: Texts = Field(
        default=("openff-2.2.1",),
        min_length=1,
        description="Force field to fit, which gives the rules, all that is not fitted, and where the fit starts: a "
        "name (openff-2.2.1, gaff2), a file (.offxml, .toml), a folder of atom types, untied:NAME or hashed:NAME. Of a "
        "list of SMIRNOFF files, later ones are appended.",
    )
    mode: Literal["compat", "spec"] = Field(
        default="compat",
        description="compat: rules as openff-toolkit takes them; spec: as the SMIRNOFF specification says.",
    )
    reference: Annotated[ReferenceSettings, BeforeValidator(_files_alone)] = Field(
        default=ReferenceSettings(),
        description="Quantum chemistry to fit to: energies of conformers, and forces if there are.",
    )
    charges: ChargeMethod | None = Field(
        default=None,
        description="Charges of the atoms, which are not fitted. reference: those of the data; openff: library "
        "charges, NAGL for molecules that these do not cover; nagl; library; gasteiger: rough; none: no "
        "electrostatics; null: reference where every molecule has them, else openff.",
    )
    sections: Annotated[tuple[Section, ...], BeforeValidator(_listed)] = Field(
        default=BONDED,  # type: ignore[arg-type]
        min_length=1,
        description="Sections to fit, any of Bonds, Angles, ProperTorsions, ImproperTorsions; the others stay "
        "as they are.",
    )
    fixed: Texts = Field(
        default=(), description="Parameters that stay as they are, by name, such as [b1.length, t3.k1]."
    )
    weights: WeightSettings = Field(
        default=WeightSettings(),
        description="What misfit is tolerable: each residual is divided by the error allowed for it.",
    )
    priors: PriorSettings = Field(
        default=PriorSettings(),
        description="What is known before the data; keeps parameters that few data touch where they are.",
    )
    soft_ties: SoftTieSettings = Field(
        default=SoftTieSettings(),
        description="Draws each SMIRNOFF rule towards the more general rule whose sites it took.",
    )
    solver: SolverSettingsOfRun = Field(default=SolverSettingsOfRun(), description="When the fit stops.")
    identifiability: IdentifiabilitySettingsOfRun = Field(
        default=IdentifiabilitySettingsOfRun(),
        description="Which combinations of parameters count as determined by the data.",
    )
    errors: Literal["clustered", "nominal"] = Field(
        default="clustered",
        description="Standard errors that are shown. clustered: from how molecules scatter, right where misfit within "
        "a molecule is correlated; nominal: as if every residual were independent.",
    )
    noise: Literal["estimated", "stated"] = Field(
        default="estimated",
        description="Size of the noise in nominal errors: from the residuals, or as the weights state it.",
    )
    output: str = Field(
        default="fit", min_length=1, description="Folder for the results; a run that was stopped goes on there."
    )

    def fit_settings(self) -> FitSettings:
        """The record."""
        return FitSettings(
            priors=Priors(widths=self.priors.widths.widths(), strength=self.priors.strength),
            solver=SolverSettings(**self.solver.model_dump()),
            identifiability=IdentifiabilitySettings(**self.identifiability.model_dump()),
            errors=self.errors,
            noise=self.noise,
        )

    def plain(self) -> dict[str, Any]:
        """As dictionaries, lists, numbers and texts, fit for JSON: infinity is the text ``inf``."""
        return dict(_plain(self.model_dump()))

    def differences(self, other: "RunSettings") -> list[str]:
        """What another run was told differently; where results go does not count.

        Args:
            other: The other settings.

        Returns:
            A text for each setting: its name, its value here and there.

        Example:
            >>> RunSettings().differences(RunSettings(charges="none"))
            ['charges: None here, none there']
        """
        mine, theirs = dict(_flat(self.plain())), dict(_flat(other.plain()))
        return [
            f"{name}: {mine[name]} here, {theirs[name]} there"
            for name in mine
            if mine[name] != theirs[name] and name != "output"
        ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _flat(tree: dict[str, Any], above: Sequence[str] = ()) -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, key))
        else:
            yield ".".join((*above, key)), value
