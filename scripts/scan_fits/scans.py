"""Scans of torsions, and what a force field has for their molecules."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ffshare.assign import Assignment, Scheme
from ffshare.fit import FitResult, ReferenceMolecule, read_reference
from ffshare.fit.evaluate import uncovered_molecules
from ffshare.fit.parts import part_of
from ffshare.fit.reference import canonical_smiles
from ffshare.fit.reference.json_files import json_objects
from ffshare.model import Model, charges_by_name
from scan_fits.errors import Floats, rmse

SECTION = "ProperTorsions"
STRAIN = ("Bonds", "Angles")
"""What a geometry that the force field did not relax costs."""


class Scans(NamedTuple):
    """Scans of one level of theory, with what a force field has for their molecules."""

    molecules: tuple[ReferenceMolecule, ...]
    names: tuple[str, ...]
    """Canonical SMILES of each."""
    origins: tuple[str, ...]
    """What the file calls each, as far as the first hyphen: where it is from, if names say that."""
    assignment: Assignment
    charges: Floats
    level: str
    n_left_out: int
    """Scans that were not taken: molecules without a rule for a term, or that were not wanted."""

    def residuals(self, assignment: Assignment) -> list[Floats]:
        """Energies of a force field less the reference, from their mean, scan by scan [kcal/mol]."""
        model = Model.of(assignment, self.charges)
        energies = model.energies(model.frames([each.coords for each in self.molecules]))
        found = [energies.of_molecule(idx) - each.energies for idx, each in enumerate(self.molecules)]
        return [each - each.mean() for each in found]

    def spreads(self) -> dict[str, float]:
        """Root mean square of the energies of each section, and of the reference, from their mean over a scan."""
        model = Model.of(self.assignment, self.charges)
        energies = model.energies(model.frames([each.coords for each in self.molecules]))
        starts = energies.frame_offsets
        found = {
            section: [values[first:last] for first, last in pairwise(starts.tolist())]
            for section, values in energies.by_section.items()
        }
        found["reference"] = [each.energies for each in self.molecules]
        return {name: rmse([each - each.mean() for each in parts]) for name, parts in found.items()}

    def error_without_strain(self) -> float:
        """The error of the force field if its bonds and angles were left out [kcal/mol]."""
        model = Model.of(self.assignment, self.charges)
        model = model.only([name for name in model.interactions if name not in STRAIN])
        energies = model.energies(model.frames([each.coords for each in self.molecules]))
        found = [energies.of_molecule(idx) - each.energies for idx, each in enumerate(self.molecules)]
        return rmse([each - each.mean() for each in found])


def load(scheme: Scheme, path: Path, charges: str, unwanted: frozenset[str] = frozenset()) -> Scans:
    """The scans of a file.

    Args:
        scheme: The force field.
        path: File of scans.
        charges: A method of `charges_by_name`.
        unwanted: Molecules to leave out, by canonical SMILES.

    Returns:
        Scans of the molecules that the force field covers.
    """
    data = read_reference(path)
    titles = [str(line.get("name", "")) for _, line in json_objects(path) if line] if ".jsonl" in path.name else []
    # A record that failed would put the others out of step.
    origins = (
        [title.partition("-")[0] for title in titles] if len(titles) == data.n_molecules else [""] * data.n_molecules
    )
    names = [canonical_smiles(each.smiles) for each in data.molecules]
    wanted = [idx for idx, name in enumerate(names) if name not in unwanted]
    chosen = [data.molecules[idx] for idx in wanted]
    whole = scheme.assign(replace(data, molecules=tuple(chosen), failures=()).batch())
    kept = np.setdiff1d(np.arange(len(chosen)), list(uncovered_molecules(whole)))
    assignment = part_of(whole, kept)
    return Scans(
        molecules=tuple(chosen[idx] for idx in kept),
        names=tuple(names[wanted[idx]] for idx in kept),
        origins=tuple(origins[wanted[idx]] for idx in kept),
        assignment=assignment,
        charges=charges_by_name(assignment, charges),
        level=data.level,
        n_left_out=len(names) - len(kept) + len(data.failures),
    )


def fitted(scans: Scans, result: FitResult) -> Assignment:
    """The molecules of some scans with fitted barriers, all else as it was; the scheme must add no rules of its own."""
    return replace(scans.assignment, tables={**scans.assignment.tables, SECTION: result.tables()[SECTION]})
