"""Partial charges that come with reference data: written, read, checked, in the order of the atoms."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.errors import InputError
from ffshare.fit import ReferenceData, ReferenceMolecule, read_reference, write_reference
from ffshare.fit.reference import (
    REFERENCE_SCHEMA,
    RawRecord,
    all_have_charges,
    check,
    reference_charges,
    reference_table,
)
from ffshare.fit.reference.read import _merged
from ffshare.molecules import GraphBatch, from_smiles, mapped_smiles, molecule_from_smiles
from tests.fit.reference.toys import assert_same, spring_molecule


def charged(smiles, seed=0, **more):
    """A molecule of springs with random charges that add up to its formal charge."""
    molecule = spring_molecule(smiles, seed=seed, **more)
    charges = np.random.default_rng(seed).normal(size=molecule.n_atoms)
    return replace(molecule, charges=charges - (charges.sum() - from_smiles(smiles).charges.sum()) / len(charges))


def written(path, *molecules, **more):
    write_reference(ReferenceData(molecules=molecules, level="springs"), path, **more)
    return path


def record(molecule, **changes):
    fields = {"smiles": molecule.smiles, "coords": molecule.coords, "energies": molecule.energies}
    fields |= {"charges": molecule.charges, "level": molecule.level}
    return RawRecord(index=0, path="", line=0, name="", **(fields | changes))


@given(st.lists(st.tuples(st.sampled_from(["O", "CO", "C[NH3+]", "[OH-]"]), st.booleans()), min_size=1, max_size=4))
def test_charges_that_are_written_are_read_to_the_last_bit(tmp_path_factory, given_molecules):
    molecules = [
        charged(smiles, seed) if has_charges else spring_molecule(smiles, seed=seed)
        for seed, (smiles, has_charges) in enumerate(given_molecules)
    ]
    path = written(tmp_path_factory.mktemp("law") / "a.parquet", *molecules, decimals=9)
    found = read_reference(path)
    assert found.failures == ()
    for one, expected in zip(found.molecules, molecules, strict=True):
        assert_same(one, expected, tolerance=1e-9)
        assert (one.charges is None) == (expected.charges is None)
        if expected.charges is not None:
            np.testing.assert_array_equal(one.charges, expected.charges)
    everywhere = all(has_charges for _, has_charges in given_molecules)
    assert found.has_charges == all_have_charges(path) == everywhere


def test_only_files_with_charges_have_the_column():
    assert reference_table([spring_molecule("O")]).schema.equals(REFERENCE_SCHEMA)
    table = reference_table([spring_molecule("O"), charged("O")])
    assert table.schema.names == [*REFERENCE_SCHEMA.names, "charges"]
    assert table.schema.field("charges").type == pa.list_(pa.float64())
    assert [row is None for row in table["charges"].to_pylist()] == [True, False]


def test_charges_of_another_number_of_atoms_are_refused():
    water = spring_molecule("O")
    with pytest.raises(ValueError, match=r"charges \(2,\), but 3 atoms"):
        replace(water, charges=np.zeros(2))
    with pytest.raises(ValueError, match=r"charges \(1, 3\), but 3 atoms"):
        replace(water, charges=np.zeros((1, 3)))


def test_a_part_keeps_the_charges_and_they_cannot_be_written_to():
    molecule = charged("CO", n_conformers=5)
    part = molecule.part(np.array([3, 1]))
    np.testing.assert_array_equal(part.charges, molecule.charges)
    with pytest.raises(ValueError, match="read-only"):
        part.charges[0] = 0


@pytest.mark.parametrize(
    ("charges", "reason"),
    [
        ([np.nan, 0.0, 0.0], "a charge is no finite number"),
        ([np.inf, 0.0, 0.0], "a charge is no finite number"),
        ([-0.8, 0.4, 0.42], "the charges add up to 0.0200 e, the formal charges to 0 e"),
        ([0.0, 0.0], "2 charges for 3 atoms"),
        ("abc", "the charges are no numbers"),
    ],
)
def test_a_record_with_wrong_charges_is_a_failure(charges, reason):
    checked = check(record(spring_molecule("O"), charges=charges))
    assert checked.molecule is None
    [failure] = checked.failures
    assert re.search(reason, failure.reason)
    assert failure.advice


def test_charges_may_miss_the_formal_charge_by_a_hundredth():
    found = check(record(spring_molecule("[OH-]"), charges=[-1.309, 0.3])).molecule
    assert found.charges.tolist() == [-1.309, 0.3]
    assert check(record(spring_molecule("[OH-]"), charges=[-1.311, 0.3])).molecule is None


@given(st.randoms(use_true_random=False))
def test_charges_go_with_the_map_numbers_whatever_the_order_of_the_text(random):
    molecule = charged("CC(=O)[O-]")
    order = list(range(molecule.n_atoms))
    random.shuffle(order)
    renumbered = GraphBatch.from_molecules([Chem.RenumberAtoms(molecule_from_smiles(molecule.smiles), order)])
    raw = record(
        molecule,
        smiles=mapped_smiles(renumbered, 0).smiles,
        coords=molecule.coords[:, order],
        charges=molecule.charges[order],
    )
    found = check(raw).molecule
    batch = ReferenceData(molecules=(found,), level=found.level).batch()
    carbonyl = int(np.flatnonzero((batch.elements == 8) & (batch.charges == -1))[0])
    original = int(np.flatnonzero(from_smiles("CC(=O)[O-]").charges == -1)[0])
    assert reference_charges([found])[carbonyl] == molecule.charges[original]


def test_charges_of_several_molecules_follow_one_another():
    molecules = [charged("O"), charged("CO", 1), charged("O", 2)]
    np.testing.assert_array_equal(reference_charges(molecules), np.concatenate([one.charges for one in molecules]))
    assert reference_charges([]).shape == (0,)


def test_molecules_without_charges_are_named_with_what_can_be_done():
    with pytest.raises(InputError, match=r"no charges for CO and 1 others; add a column 'charges' .* another method"):
        reference_charges([charged("O"), spring_molecule("CO"), spring_molecule("N")])


def test_records_of_one_molecule_with_other_charges_stay_apart():
    one, other = charged("O", 1, n_conformers=2), charged("O", 2, n_conformers=2)
    again = replace(other, charges=one.charges)
    merged = _merged([one, other, again, replace(again, charges=None)], [[0, 1, 2, 3]])
    assert [part.n_conformers for part in merged] == [4, 2, 2]
    np.testing.assert_array_equal(merged[0].charges, one.charges)
    np.testing.assert_array_equal(merged[1].charges, other.charges)
    assert merged[2].charges is None


def test_a_column_of_charges_that_holds_no_lists_is_told(tmp_path):
    rows = [row | {"charges": "x"} for row in reference_table([spring_molecule("O")]).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column 'charges' holds string; expected a list of float64 a row"):
        read_reference(tmp_path / "a.parquet")


def test_arrow_files_and_other_formats_are_asked_for_charges_too(tmp_path):
    table = reference_table([charged("O"), charged("CO")])
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert all_have_charges(tmp_path / "a.arrow")
    written(tmp_path / "b.parquet", spring_molecule("O"))
    assert not all_have_charges(tmp_path)
    (tmp_path / "c.xyz").write_text("")
    assert not all_have_charges(tmp_path / "a.arrow", tmp_path / "c.xyz")
    with pytest.raises(InputError, match="no such file"):
        all_have_charges(tmp_path / "absent.parquet")


def test_a_file_cut_short_is_asked_for_the_charges_of_what_can_be_read(tmp_path):
    table = reference_table([charged("O", seed) for seed in range(3)])
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        for row in range(3):
            writer.write_table(table.slice(row, 1))
    path.write_bytes(path.read_bytes()[:-700])
    assert all_have_charges(path)
    assert 0 < read_reference(path).n_molecules < 3


def test_reference_molecules_have_no_charges_unless_given():
    assert ReferenceMolecule(smiles="[H+:1]", coords=np.zeros((1, 1, 3)), energies=[0.0]).charges is None
