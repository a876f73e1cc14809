"""Amplitudes of the slots before any fit: guesses of the sites themselves, and a table that knows only elements."""

from collections.abc import Mapping, Sequence

import numpy as np

from ffshare.fit.comparison.scheme import SlotValues
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.terms import IMPROPER_PERIODICITY, TREFOIL
from ffshare.fit.guesses import Guesses, MinimumHessian, element_values, first_known, seminario
from ffshare.fit.reference import ReferenceMolecule
from ffshare.model import Basis
from ffshare.model.coordinates import FloatArray


def slot_values(
    sites: CommonSites,
    bases: Mapping[str, Basis],
    reference: Sequence[ReferenceMolecule],
    hessians: Mapping[str, MinimumHessian] | None = None,
) -> SlotValues:
    """What is known of the slots without a fit.

    Args:
        sites: The common sites.
        bases: Functions of the sites by section.
        reference: Reference data of the molecules of the batch, in their order: their names only.
        hessians: Minima and Hessians by mapped SMILES; molecules without one are guessed by the table of elements.

    Returns:
        Guesses by the modified Seminario method and by the table.
    """
    atoms = sites.atom_idxs
    table = element_values(
        sites.batch, atoms["Bonds"], atoms["Angles"], atoms["ProperTorsions"], atoms["ImproperTorsions"]
    )
    found = [None if hessians is None else hessians.get(molecule.smiles) for molecule in reference]
    guess = seminario(
        sites.batch,
        [None if each is None else each.coords for each in found],
        [None if each is None else each.hessian for each in found],
        atoms["Bonds"],
        atoms["Angles"],
    )
    return SlotValues(
        guess=_amplitudes(first_known(guess, table), sites, bases), table=_amplitudes(table, sites, bases)
    )


def _amplitudes(guesses: Guesses, sites: CommonSites, bases: Mapping[str, Basis]) -> FloatArray:
    """Guesses as amplitudes of the slots, section by section, site by site."""
    impropers = np.zeros(len(sites.atom_idxs["ImproperTorsions"]))
    propers = np.zeros(len(sites.atom_idxs["ProperTorsions"]))
    if guesses.improper_k is not None:
        impropers = guesses.improper_k / TREFOIL
    if guesses.proper_k is not None:
        propers = guesses.proper_k
    amplitudes = {
        "Bonds": {"k": guesses.bond_k, "k*x0": guesses.bond_k * guesses.bond_length},
        "Angles": {"k": guesses.angle_k, "k*x0": guesses.angle_k * guesses.angle},
        "ProperTorsions": {name: propers for name in bases["ProperTorsions"].names if name.startswith("cos")},
        "ImproperTorsions": {f"cos {IMPROPER_PERIODICITY}": impropers},
    }
    columns = []
    for section, basis in bases.items():
        none = np.zeros(len(sites.atom_idxs[section]))
        columns.append(np.stack([amplitudes[section].get(name, none) for name in basis.names], axis=1).ravel())
    return np.concatenate(columns)
