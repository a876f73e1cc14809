"""Common sites and the rules that schemes have for them: plain loops, and SMARTS for planar centres."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.fit.comparison.sites import NO_RULE, CommonSites, planar_centres
from ffshare.fit.parameters import BONDED
from ffshare.model import Springs, Waves
from tests.model.samples import VARIED, scheme_of, shipped

SCHEMES = ("openff-2.2.1", "gaff", "gaff2", "mmff94", "untied", "hashed-element:openff-2.2.1")
ODD = (
    "c1ccccc1N",
    "C1=CC1",
    "O=[N+]([O-])c1ccccc1",
    "C[N+](=C)C",
    "NS(=O)(=O)C",
    "NN",
    "B(O)(O)C",
    "C[NH-]",
    "CP(C)N(C)C",
    "CN(C)C",
    "O=C1C=CN1",
    "ON",
    "[O-]N(C)C",
    "CN(C)B(C)C",
    "C[N+](C)(C)[O-]",
    "N#CN",
    "CC(=O)[O-]",
)
# Carbon and boron with three neighbours; nitrogen with three beside sp or sp2 carbon, nitrogen with two neighbours,
# phosphorus, sulfur, or an oxygen of its own.
PLANAR = "[$([#6,#5;D3]),$([#7;D3]~[#6;D1,D2,D3]),$([#7;D3]~[#7;D2]),$([#7;D3]~[#15,#16]),$([#7;D3]~[#8;D1])]"


@pytest.fixture(scope="module")
def batch():
    return ffshare.from_smiles(*VARIED, *ODD)


@pytest.fixture(scope="module")
def sites(batch):
    return CommonSites.of(batch)


def key_of(section, atoms):
    """What a site is called, whatever order its atoms stand in; of an improper all four atoms."""
    atoms = tuple(int(atom) for atom in atoms)
    return frozenset(atoms) if section == "ImproperTorsions" else min(atoms, atoms[::-1])


def rules_by_loops(assignment, section, atoms):
    """The rule of each site, looked up one after the other; of several the first in the table."""
    found = {}
    if section in assignment.sites:
        given = assignment.sites[section]
        for theirs, rule in zip(given.atom_idxs.tolist(), given.rule_idxs.tolist(), strict=True):
            if rule >= 0:
                found.setdefault(key_of(section, theirs), []).append(rule)
    return [min(found.get(key_of(section, each), [NO_RULE])) for each in atoms.tolist()]


@pytest.mark.parametrize("name", SCHEMES)
def test_rules_are_those_that_the_scheme_has_for_the_same_atoms(name, batch, sites):
    assignment = scheme_of(name).assign(batch)
    found = sites.rules_of(assignment)
    assert tuple(found) == BONDED
    for section, atoms in sites.atom_idxs.items():
        assert found[section].tolist() == rules_by_loops(assignment, section, atoms), section
        assert (found[section] >= 0).any(), section


@pytest.mark.parametrize("name", SCHEMES)
def test_the_order_in_which_a_scheme_lists_sites_and_their_atoms_does_not_matter(name, batch, sites):
    assignment = scheme_of(name).assign(batch)
    rng = np.random.default_rng(2)
    shuffled = {}
    for section, own in assignment.sites.items():
        order = rng.permutation(len(own))
        order = order[np.argsort(own.molecule_idxs[order], kind="stable")]
        atoms = own.atom_idxs[order]
        if section == "ImproperTorsions":
            # AMBER has the centre third, others have it first.
            atoms = rng.permuted(atoms, axis=1)
        elif section in BONDED:
            atoms = np.where(rng.integers(2, size=(len(own), 1)) == 1, atoms[:, ::-1], atoms)
        shuffled[section] = dataclasses.replace(
            own, atom_idxs=atoms, rule_idxs=own.rule_idxs[order], patterns=None, fallbacks=None, weights=None
        )
    found = sites.rules_of(dataclasses.replace(assignment, sites=shuffled))
    for section, rules in sites.rules_of(assignment).items():
        assert found[section].tolist() == rules.tolist()


def test_of_several_rules_at_a_centre_the_first_of_the_table_counts(batch, sites):
    assignment = scheme_of("mmff94").assign(batch)
    own = assignment.sites["ImproperTorsions"]
    rng = np.random.default_rng(4)
    given = dataclasses.replace(own, rule_idxs=rng.permutation(len(own)), patterns=None, fallbacks=None)
    several = dataclasses.replace(assignment, sites={"ImproperTorsions": given})
    atoms = sites.atom_idxs["ImproperTorsions"]
    assert len(own) >= 3 * len(atoms)
    found = sites.rules_of(several)["ImproperTorsions"]
    assert found.tolist() == rules_by_loops(several, "ImproperTorsions", atoms)


def test_a_site_with_and_without_a_rule_has_the_rule(batch, sites):
    assignment = scheme_of("mmff94").assign(batch)
    own = assignment.sites["ImproperTorsions"]
    expected = sites.rules_of(assignment)["ImproperTorsions"]
    assert (expected >= 0).any()
    for kept in range(3):
        # The same three impropers a centre, two of them without a rule.
        centres = own.atom_idxs[:, 1]
        rank = np.array([np.sum(centres[:place] == centre) for place, centre in enumerate(centres)])
        rules = np.where(rank == kept, own.rule_idxs, -1)
        given = dataclasses.replace(own, rule_idxs=rules, patterns=None, fallbacks=None)
        found = sites.rules_of(dataclasses.replace(assignment, sites={"ImproperTorsions": given}))
        assert found["ImproperTorsions"].tolist() == expected.tolist()


def test_the_sites_are_all_bonded_tuples_once(batch, sites):
    bonds = {tuple(sorted(bond)) for bond in batch.bonds.tolist()}
    neighbours = {}
    for first, second in bonds:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    angles = {(a, b, c) for b, of in neighbours.items() for a, c in combinations(sorted(of), 2)}
    propers = {
        min((a, b, c, d), (d, c, b, a))
        for b, c in bonds
        for a in neighbours[b] - {c}
        for d in neighbours[c] - {b}
        if a != d
    }
    for section, expected in (("Bonds", bonds), ("Angles", angles), ("ProperTorsions", propers)):
        found = [key_of(section, atoms) for atoms in sites.atom_idxs[section].tolist()]
        assert len(found) == len(expected)
        assert set(found) == expected, section
    for section in BONDED:
        assert (np.diff(sites.molecule_idxs(section)) >= 0).all()


def test_planar_centres_are_those_of_their_smarts(batch):
    pattern = Chem.MolFromSmarts(PLANAR)
    molecules = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    expected = [
        int(first) + match[0]
        for first, molecule in zip(batch.atom_offsets, molecules, strict=False)
        for match in molecule.GetSubstructMatches(pattern, maxMatches=1000)
    ]
    assert np.flatnonzero(planar_centres(batch)).tolist() == sorted(expected)


def test_planar_centres_of_drugs_are_those_of_their_smarts():
    pattern = Chem.MolFromSmarts(PLANAR)
    batch = ffshare.molecules.GraphBatch.from_molecules([molecule for molecule, _ in shipped(n_heavy_most=30)[::6]])
    counts = np.bincount(batch.atom_molecules[planar_centres(batch)], minlength=batch.n_molecules)
    expected = [
        len(batch.explicit_molecule(idx).GetSubstructMatches(pattern, maxMatches=1000))
        for idx in range(batch.n_molecules)
    ]
    assert counts.tolist() == expected
    assert counts.sum() > 300


def test_every_planar_centre_has_one_improper_with_the_centre_second(batch, sites):
    impropers = sites.atom_idxs["ImproperTorsions"]
    assert sorted(impropers[:, 1].tolist()) == np.flatnonzero(planar_centres(batch)).tolist()
    bonded = {frozenset(bond) for bond in batch.bonds.tolist()}
    for atoms in impropers.tolist():
        assert all(frozenset((atoms[1], other)) in bonded for other in (atoms[0], atoms[2], atoms[3]))


def test_slots_stand_site_after_site(sites):
    bases = {"Bonds": Springs(), "ProperTorsions": Waves(cosines=(1, 2, 3), sines=(2,))}
    found, offsets = sites.slot_sites(bases)
    n_bonds, n_propers = (len(sites.atom_idxs[section]) for section in bases)
    assert offsets.tolist() == [0, n_bonds, n_bonds + n_propers]
    assert found.tolist() == [
        *(site for site in range(n_bonds) for _ in range(2)),
        *(n_bonds + site for site in range(n_propers) for _ in range(4)),
    ]
