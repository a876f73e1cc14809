"""The sites that all schemes of a comparison have in common, and the rule that each scheme has for them.

Bonds, angles and proper torsions are all bonded tuples of the molecules. An improper stands at every planar atom with
three neighbours, whatever a scheme does there: at trigonal carbon and boron, and at trigonal nitrogen that is bonded to
an atom with a π system (or to phosphorus or sulfur, or bears an oxygen of its own, as in nitro groups).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.assign import Assignment
from ffshare.model import Basis
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.molecules.tuples import (
    angle_atoms,
    angle_edges,
    improper_atoms,
    improper_edges,
    proper_atoms,
    proper_edges,
)
from ffshare.records import doc, record

BORON, CARBON, NITROGEN, OXYGEN, PHOSPHORUS, SULFUR = 5, 6, 7, 8, 15, 16

NO_RULE = -1


@record
class CommonSites:
    """Bonded sites of a batch, the same for every scheme."""

    batch: GraphBatch = doc("the molecules")
    atom_idxs: Mapping[str, IntArray] = doc("atoms of the sites by section, shape=(n_sites, k)")

    @classmethod
    def of(cls, batch: GraphBatch) -> "CommonSites":
        """The sites of some molecules.

        Args:
            batch: The molecules.

        Returns:
            Sites of each section, molecule after molecule; the centre of an improper stands second.

        Example:
            >>> import ffshare
            >>> CommonSites.of(ffshare.from_smiles("CC=O"))
            CommonSites(Bonds: 6, Angles: 9, ProperTorsions: 6, ImproperTorsions: 1)
        """
        impropers = improper_edges(batch, np.flatnonzero(planar_centres(batch)))
        found = {
            "Bonds": batch.bonds,
            "Angles": angle_atoms(batch, angle_edges(batch)),
            "ProperTorsions": proper_atoms(batch, proper_edges(batch)),
            "ImproperTorsions": improper_atoms(batch, impropers),
        }
        molecules = {section: batch.atom_molecules[atoms[:, 0]] for section, atoms in found.items()}
        orders = {section: np.argsort(each, kind="stable") for section, each in molecules.items()}
        return cls(batch=batch, atom_idxs={section: atoms[orders[section]] for section, atoms in found.items()})

    def __repr__(self) -> str:
        counts = ", ".join(f"{section}: {len(atoms)}" for section, atoms in self.atom_idxs.items())
        return f"CommonSites({counts})"

    def molecule_idxs(self, section: str) -> IntArray:
        """Molecule of each site of a section, ascending."""
        return self.batch.atom_molecules[self.atom_idxs[section][:, 0]]

    def slot_sites(self, bases: Mapping[str, Basis]) -> tuple[IntArray, IntArray]:
        """Which site each slot of a design belongs to.

        Args:
            bases: Functions of the sites by section.

        Returns:
            Site of each slot, counted over all sections, shape=(n_slots,), and the first site of each section and
            their number, shape=(n_sections + 1,).
        """
        offsets = offsets_of(np.array([len(self.atom_idxs[section]) for section in bases], dtype=np.int64))
        widths = np.repeat([len(basis.names) for basis in bases.values()], np.diff(offsets))
        return np.repeat(np.arange(offsets[-1]), widths), offsets

    def rules_of(self, assignment: Assignment) -> dict[str, IntArray]:
        """The rule that a scheme has for each site.

        Args:
            assignment: What the scheme gives to the same molecules.

        Returns:
            Index into the rules of each section, `NO_RULE` where the scheme has none, shape=(n_sites,). Where a scheme
            has several impropers at a centre the first of its rules counts.
        """
        found = {}
        for section, atoms in self.atom_idxs.items():
            rules = np.full(len(atoms), NO_RULE)
            sites = assignment.sites.get(section)
            if sites is not None and len(sites) and len(atoms):
                with_rule = sites.rule_idxs >= 0
                theirs, their_rules = sites.atom_idxs[with_rule], sites.rule_idxs[with_rule]
                if section == "ImproperTorsions":
                    theirs = _centre_second(self.batch, theirs)
                both = np.concatenate([_canonical(section, atoms), _canonical(section, theirs)])
                _, names = np.unique(both, axis=0, return_inverse=True)
                names = names.ravel()
                # From the last rule to the first, so that the first stays.
                order = np.argsort(-their_rules, kind="stable")
                by_name = np.full(int(names.max()) + 1, NO_RULE)
                by_name[names[len(atoms) :][order]] = their_rules[order]
                rules = by_name[names[: len(atoms)]]
            found[section] = rules
        return found


def planar_centres(batch: GraphBatch) -> NDArray[np.bool_]:
    """Whether each atom is a planar centre with three neighbours, by the rule at the head of this module.

    Args:
        batch: The molecules.

    Returns:
        Marks, shape=(n_atoms,).

    Example:
        >>> import ffshare
        >>> planar_centres(ffshare.from_smiles("CC(=O)N")).nonzero()[0].tolist()
        [1, 3]
    """
    elements, degrees = batch.elements, batch.degrees
    trigonal = degrees == 3
    has_pi = ((elements == CARBON) & (degrees <= 3)) | ((elements == NITROGEN) & (degrees == 2))
    asks = has_pi | np.isin(elements, (PHOSPHORUS, SULFUR)) | ((elements == OXYGEN) & (degrees == 1))
    beside = np.bincount(batch.sources, weights=asks[batch.targets], minlength=batch.n_atoms) > 0
    planar: NDArray[np.bool_] = trigonal & (np.isin(elements, (BORON, CARBON)) | ((elements == NITROGEN) & beside))
    return planar


def _canonical(section: str, atoms: IntArray) -> IntArray:
    """Atoms of sites in one order, whatever order a scheme writes them in."""
    if section == "ImproperTorsions":
        return np.column_stack([np.sort(atoms[:, [0, 2, 3]], axis=1), atoms[:, 1]])
    turned = atoms[:, 0] > atoms[:, -1]
    return np.where(turned[:, None], atoms[:, ::-1], atoms)


def _centre_second(batch: GraphBatch, atoms: IntArray) -> IntArray:
    """Impropers with the atom that is bonded to the three others second: schemes differ in where it stands."""
    adjacency = sparse.csr_array(
        (np.ones(len(batch.sources)), (batch.sources, batch.targets)), shape=(batch.n_atoms,) * 2
    )
    n_bonds = np.zeros(atoms.shape)
    for place in range(4):
        for other in range(4):
            if place != other:
                n_bonds[:, place] += np.asarray(adjacency[atoms[:, place], atoms[:, other]]).ravel()
    # The second place wins ties, as SMIRNOFF has it, then the third, as AMBER has it.
    preference = np.array([1, 2, 0, 3])
    centre = preference[np.argmax(n_bonds[:, preference], axis=1)]
    others = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[centre]
    rows = np.arange(len(atoms))
    found: IntArray = np.column_stack(
        [
            atoms[rows, others[:, 0]],
            atoms[rows, centre],
            atoms[rows, others[:, 1]],
            atoms[rows, others[:, 2]],
        ]
    )
    return found
