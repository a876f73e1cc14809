"""Errors of a force field on reference data: laws on data that force fields made, and two conformers by hand."""

import dataclasses
import math
from functools import reduce
from operator import add

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.errors import InputError
from ffshare.fit import ReferenceMolecule
from ffshare.fit.evaluate import ErrorSums, evaluate, uncovered_molecules
from ffshare.model import Model, charges_by_name
from ffshare.molecules import mapped_smiles
from tests.model.samples import conformers, scheme_of

SMILES = ("CCO", "CC(=O)NC", "c1ccncc1", "O")


def made_by(scheme, smiles, charges="gasteiger", n_conformers=4, seed=0):
    """Reference data whose energies and forces are those of a force field."""
    batch = ffshare.from_smiles(smiles)
    model = Model.of(scheme.assign(batch), charges)
    frames = model.frames(conformers(batch, n_conformers, seed=seed))
    found = model.evaluate(frames)
    return ReferenceMolecule(
        smiles=mapped_smiles(batch, 0).smiles,
        coords=frames.by_molecule(frames.coordinates)[0],
        energies=found.energies.total,
        forces=frames.by_molecule(found.forces)[0],
    )


@pytest.fixture(scope="module")
def sage():
    return scheme_of("openff-2.2.1")


@pytest.fixture(scope="module")
def gaff_data():
    """What another force field says, so that there are errors."""
    return [made_by(scheme_of("gaff"), smiles) for smiles in SMILES[:3]]


def numbers(found):
    """All sums of all molecules as one array."""
    return np.array(
        [dataclasses.astuple(sums) for one in found for sums in (one.energies, one.forces)],
    )


def test_a_force_field_has_no_error_on_its_own_energies_and_forces(sage):
    for found in evaluate(sage, [made_by(sage, smiles) for smiles in SMILES], "gasteiger"):
        assert found.skipped is None
        assert found.energies.rmse == pytest.approx(0.0, abs=1e-10)
        assert found.forces.rmse == pytest.approx(0.0, abs=1e-10)
        assert found.forces.reference_rms > 1.0


def test_another_zero_of_energy_changes_nothing(sage, gaff_data):
    shifted = [
        dataclasses.replace(molecule, energies=molecule.energies - 1000.0 * (place + 1))
        for place, molecule in enumerate(gaff_data)
    ]
    expected = numbers(evaluate(sage, gaff_data, "gasteiger"))
    assert expected[:, 2].min() > 0.01
    assert numbers(evaluate(sage, shifted, "gasteiger")) == pytest.approx(expected, rel=1e-9)


def test_the_order_of_atoms_and_conformers_changes_nothing(sage, gaff_data):
    rng = np.random.default_rng(3)
    shuffled = []
    for molecule in gaff_data:
        # New map numbers for the same atoms: atom i of the coordinates carries number i + 1.
        order, frames = rng.permutation(molecule.n_atoms), rng.permutation(molecule.n_conformers)
        mol = ffshare.molecules.molecule_from_smiles(molecule.smiles)
        renumbered = ffshare.molecules.GraphBatch.from_molecules([Chem.RenumberAtoms(mol, order.tolist())])
        shuffled.append(
            ReferenceMolecule(
                smiles=mapped_smiles(renumbered, 0).smiles,
                coords=molecule.coords[frames][:, order],
                energies=molecule.energies[frames],
                forces=molecule.forces[frames][:, order],
            )
        )
    expected = numbers(evaluate(sage, gaff_data, "gasteiger"))
    # RDKit's Gasteiger charges iterate, and their last digits depend on the order of the atoms.
    assert numbers(evaluate(sage, shuffled, "gasteiger")) == pytest.approx(expected, rel=1e-6)


def test_entries_of_one_molecule_keep_their_zeros_and_groups_do_not_matter(sage, gaff_data):
    ethanol = gaff_data[0]
    parts = [ethanol.part(np.array([0, 1])), ethanol.part(np.array([2, 3]))]
    parts[1] = dataclasses.replace(parts[1], energies=parts[1].energies + 7.0)
    together = evaluate(sage, [parts[0], *gaff_data[1:], parts[1]], "gasteiger")
    alone = [evaluate(sage, [one], "gasteiger")[0] for one in (parts[0], *gaff_data[1:], parts[1])]
    assert numbers(together) == pytest.approx(numbers(alone), rel=1e-12)
    assert [one.energies.count for one in together] == [2, 4, 4, 2]


def test_two_conformers_by_hand():
    """Hydrogen molecule at 0.8 and 0.9 Å, k = 700, rest 0.74: E = 1.26 and 8.96; F = 42 and 112 along the bond."""
    rules = ffshare.load_scheme("openff-2.2.1")
    batch = ffshare.from_smiles("[H][H]")
    assignment = rules.assign(batch)
    assert uncovered_molecules(assignment) == {0: "no rule for terms of Bonds"}
    scheme = _Fixed(rules, assignment)
    reference = ReferenceMolecule(
        smiles="[H:1][H:2]",
        coords=[[[0, 0, 0], [0.8, 0, 0]], [[0, 0, 0], [0.9, 0, 0]]],
        energies=[100.0, 104.0],
        forces=[[[40.0, 0, 0], [-40.0, 0, 0]], [[100.0, 0, 0], [-100.0, 0, 0]]],
    )
    (found,) = evaluate(scheme, [reference], None)
    # Differences -98.74 and -95.04: from their mean -1.85 and 1.85.
    assert (found.energies.count, found.forces.count) == (2, 12)
    assert found.energies.rmse == pytest.approx(1.85)
    assert found.energies.mae == pytest.approx(1.85)
    assert found.energies.reference_rms == pytest.approx(2.0)
    # Components 2, -2, 12, -12 and eight zeros.
    assert found.forces.rmse == pytest.approx(math.sqrt((2 * 4 + 2 * 144) / 12))
    assert found.forces.mae == pytest.approx(28 / 12)
    assert found.forces.reference_rms == pytest.approx(math.sqrt((2 * 1600 + 2 * 10000) / 12))


class _Fixed:
    """A scheme of one bond rule, k = 700 and length 0.74, whatever the molecule."""

    name = "one rule"

    def __init__(self, scheme, assignment):
        table = scheme.tables["Bonds"]
        self._table = dataclasses.replace(
            table,
            columns={
                name: dataclasses.replace(table.columns[name], values=np.full(len(table), value))
                for name, value in (("k", 700.0), ("length", 0.74))
            },
        )
        self._assignment = assignment

    def assign(self, batch):
        sites = {"Bonds": dataclasses.replace(self._assignment.sites["Bonds"], rule_idxs=np.array([0]))}
        return dataclasses.replace(self._assignment, batch=batch, sites=sites, tables={"Bonds": self._table})


def test_one_conformer_says_nothing_of_energies_but_all_of_forces(sage, gaff_data):
    one = gaff_data[0].part(np.array([1]))
    (found,) = evaluate(sage, [one], "gasteiger")
    assert (found.energies.count, found.energies.rmse, found.energies.mae) == (0, None, None)
    assert found.forces.count == 3 * one.n_atoms


def test_without_reference_forces_there_are_errors_of_energies_only(sage, gaff_data):
    (found,) = evaluate(sage, [dataclasses.replace(gaff_data[0], forces=None)], "gasteiger")
    assert found.energies.count == 4
    assert (found.forces.count, found.forces.rmse) == (0, None)


def test_a_molecule_without_rules_is_left_out_and_the_others_are_as_without_it(sage, gaff_data):
    silane = ReferenceMolecule(smiles="[Si:1]([H:2])([H:3])([H:4])[H:5]", coords=np.zeros((2, 5, 3)), energies=[0, 1])
    found = evaluate(sage, [gaff_data[0], silane, gaff_data[1]], "gasteiger")
    assert [one.skipped for one in found] == [None, "no rule for terms of Bonds, Angles, vdW", None]
    assert (found[1].energies.count, found[1].forces.count) == (0, 0)
    assert numbers([found[0], found[2]]) == pytest.approx(numbers(evaluate(sage, gaff_data[:2], "gasteiger")))


def with_gasteiger(scheme, molecule):
    batch = ffshare.fit.ReferenceData(molecules=(molecule,)).batch()
    return dataclasses.replace(molecule, charges=charges_by_name(scheme.assign(batch), "gasteiger"))


def test_charges_that_come_with_the_data_are_used_as_those_of_a_method_are(sage, gaff_data):
    data = [with_gasteiger(sage, molecule) for molecule in gaff_data]
    expected = numbers(evaluate(sage, data, "gasteiger"))
    assert numbers(evaluate(sage, data, "reference")) == pytest.approx(expected, rel=1e-9)
    assert numbers(evaluate(sage, data, None)) != pytest.approx(expected, rel=1e-3)


def test_entries_of_one_molecule_with_other_charges_are_computed_apart(sage, gaff_data):
    one = with_gasteiger(sage, gaff_data[0])
    none = dataclasses.replace(one, charges=np.zeros(one.n_atoms))
    found = evaluate(sage, [one, none, none], "reference")
    assert numbers(found[:1]) == pytest.approx(numbers(evaluate(sage, [one], "gasteiger")), rel=1e-9)
    assert numbers(found[1:]) == pytest.approx(numbers(evaluate(sage, [none, none], None)), rel=1e-9)


def test_a_molecule_that_comes_without_charges_is_an_error_where_they_are_asked_for(sage, gaff_data):
    data = [with_gasteiger(sage, gaff_data[0]), gaff_data[1]]
    with pytest.raises(InputError, match=r"give no charges for CNC\(C\)=O; add a column 'charges'"):
        evaluate(sage, data, "reference")


def test_a_molecule_that_a_method_cannot_charge_is_left_out_with_the_reason(sage):
    data = [made_by(sage, smiles, "gasteiger") for smiles in ("CCO", "O", "CC")]
    found = evaluate(sage, data, "library")
    assert [one.skipped is None for one in found] == [False, True, False]
    assert "the library charges of openff-2.2.1 do not cover" in found[0].skipped


def test_a_potential_that_the_model_lacks_leaves_every_molecule_out(gaff_data):
    found = evaluate(scheme_of("mmff94"), gaff_data, "gasteiger")
    assert all("the model computes harmonic" in one.skipped for one in found)


def test_nothing_to_evaluate_gives_nothing(sage):
    assert evaluate(sage, [], "gasteiger") == ()


def test_sums_add_up_over_molecules(sage, gaff_data):
    found = evaluate(sage, gaff_data, "gasteiger")
    total = reduce(add, (one.energies for one in found), ErrorSums())
    weights = np.array([one.energies.count for one in found])
    squares = np.array([one.energies.rmse for one in found]) ** 2
    assert total.rmse == pytest.approx(math.sqrt(np.average(squares, weights=weights)))
    assert total.mae == pytest.approx(np.average([one.energies.mae for one in found], weights=weights))
