"""Settings of a fit that is run from a file: what there is to set, what it means, and its default.

The descriptions here are the comments of the file that `ffshare init` writes, and the defaults are those of the records
that the settings become (`ffshare.fit.Weights`, `ffshare.fit.Priors`, …), so that neither says something of its own.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ffshare.fit.fit import FitSettings
from ffshare.fit.identifiability import IdentifiabilitySettings
from ffshare.fit.parameters import BONDED
from ffshare.fit.priors import Priors
from ffshare.fit.run.setting_groups import (
    IdentifiabilitySettingsOfRun,
    PriorSettings,
    ReferenceSettings,
    Settings,
    SoftTieSettings,
    SolverSettingsOfRun,
    Texts,
    WeightSettings,
    listed,
)
from ffshare.fit.solve import SolverSettings

ChargeMethod = Literal["reference", "openff", "nagl", "library", "gasteiger", "none"]
Section = Literal["Bonds", "Angles", "ProperTorsions", "ImproperTorsions"]


def _files_alone(given: object) -> object:
    """`reference: gfn2` for `reference: {files: gfn2}`."""
    return {"files": given} if isinstance(given, str | list | tuple) else given


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
    sections: Annotated[tuple[Section, ...], BeforeValidator(listed)] = Field(
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
