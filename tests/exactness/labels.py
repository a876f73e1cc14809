"""Labels of both programs in one form, their comparison term by term, and their digests.

A label says which rule gives a term its parameters: section, atoms, id and SMIRKS. openff-toolkit gives them by
`label_molecules`, ffshare by `Scheme.assign`; terms without a rule are left out, as the toolkit does.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ffshare
from ffshare.assign import Assignment
from ffshare.records import doc, record
from tests.exactness.reading import quiet, read_both

FORCE_FIELDS = (
    "openff-1.0.0",
    "openff-1.3.1",
    "openff-2.0.0",
    "openff-2.2.1",
    "openff-2.3.0",
    "openff_no_water-3.0.0-alpha0",
)
FF14SB = "ff14sb_off_impropers_0.0.4"


class Label(NamedTuple):
    """The rule of one term."""

    section: str
    atoms: tuple[int, ...]
    rule_id: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.section} {'-'.join(map(str, self.atoms))} {self.rule_id} {self.pattern}"


@record
class Comparison:
    """Labels of ffshare against others."""

    terms: int = doc("terms that the others label")
    differences: tuple[str, ...] = doc("terms with another label, or labelled by one only, in words")

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(terms=self.terms + other.terms, differences=self.differences + other.differences)


# Loading ff14SB takes seconds.
load_scheme = lru_cache(maxsize=8)(ffshare.load_scheme)


@lru_cache(maxsize=8)
def toolkit_force_field(*names: str) -> Any:
    """A force field as openff-toolkit loads it."""
    from openff.toolkit import ForceField  # optional

    with quiet():
        return ForceField(*(name if name.endswith(".offxml") else f"{name}.offxml" for name in names))


def toolkit_labels(force_field: Any, molecule: Any) -> list[Label]:
    """The labels that openff-toolkit gives one molecule, sorted.

    Of virtual sites `label_molecules` gives the parent atom only; the atoms that orient them come from the handler.
    """
    topology = molecule.to_topology()
    (sections,) = force_field.label_molecules(topology)
    found: list[Label] = []
    for section, terms in sections.items():
        if section == "VirtualSites":
            placed = force_field[section].find_matches(topology)
            assert {key: [match.parameter_type for match in found] for key, found in placed.items()} == dict(terms)
            pairs = [
                (match.environment_match.topology_atom_indices, match.parameter_type)
                for matches in placed.values()
                for match in matches
            ]
        else:
            pairs = list(terms.items())
        found += [Label(section, tuple(atoms), rule.id or rule.smirks, rule.smirks) for atoms, rule in pairs]
    return sorted(found)


def ffshare_labels(assignment: Assignment) -> list[list[Label]]:
    """The labels that ffshare gives each molecule, sorted."""
    batch = assignment.batch
    found: list[list[Label]] = [[] for _ in range(batch.n_molecules)]
    for section, sites in assignment.sites.items():
        table = assignment.tables[section]
        local = np.where(sites.atom_idxs < 0, -1, batch.local_idxs(sites.atom_idxs)).tolist()
        for molecule, atoms, rule in zip(sites.molecule_idxs.tolist(), local, sites.rule_idxs.tolist(), strict=True):
            if rule >= 0:
                present = tuple(atom for atom in atoms if atom >= 0)
                found[molecule].append(Label(section, present, table.ids[rule], table.patterns[rule]))
    return list(map(sorted, found))


def compare(name: str, ours: Sequence[Label], theirs: Sequence[Label]) -> Comparison:
    """The labels of one molecule by both programs.

    Args:
        name: The molecule.
        ours: Labels by ffshare.
        theirs: Labels by openff-toolkit.
    """
    if list(ours) == list(theirs):
        return Comparison(terms=len(theirs), differences=())
    only_ours, only_theirs = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    terms = sorted({label[:2] for label in (*only_ours, *only_theirs)})
    differences = []
    for section, atoms in terms:
        wrong, right = (
            ", ".join(f"{label.rule_id} {label.pattern}" for label in found.elements() if label[:2] == (section, atoms))
            for found in (only_ours, only_theirs)
        )
        term = f"{name} {section} {'-'.join(map(str, atoms))}"
        differences.append(f"{term}: ffshare {wrong or 'no rule'}; openff-toolkit {right or 'no rule'}")
    return Comparison(terms=len(theirs), differences=tuple(differences))


class Piece(NamedTuple):
    """Some molecules of a file, to be labelled by both programs."""

    path: Path
    force_fields: tuple[str, ...]
    molecules: range


@lru_cache(maxsize=2)
def _ours(path: Path, *force_fields: str) -> list[list[Label]]:
    return ffshare_labels(load_scheme(*force_fields).assign(read_both(path).batch))


def compare_piece(piece: Piece) -> Comparison:
    """Labels of ffshare against those of openff-toolkit, made now."""
    reading, ours = read_both(piece.path), _ours(piece.path, *piece.force_fields)
    force_field = toolkit_force_field(*piece.force_fields)
    total = Comparison(terms=0, differences=())
    for idx in piece.molecules:
        molecule = reading.theirs[idx]
        total += compare(molecule.name, ours[idx], toolkit_labels(force_field, molecule))
    return total


def pieces(path: Path, force_fields: tuple[str, ...], size: int = 40) -> list[Piece]:
    """The whole of a file in pieces that processes can share."""
    n_molecules = len(read_both(path).theirs)
    return [
        Piece(path, force_fields, range(start, min(start + size, n_molecules))) for start in range(0, n_molecules, size)
    ]


def digest(lines: Iterable[str]) -> str:
    """A short checksum of some lines that does not depend on their order.

    >>> digest(["a", "b"]) == digest(["b", "a"])
    True
    """
    return hashlib.blake2b("\n".join(sorted(lines)).encode(), digest_size=8).hexdigest()
