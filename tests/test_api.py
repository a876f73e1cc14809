"""The public names, used as a notebook uses them."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pytest

import ffshare
from ffshare.assign import LABEL_SCHEMA
from ffshare.data_files import data_directory
from ffshare.errors import InputError, MoleculeError


@pytest.fixture(scope="module")
def scheme():
    return ffshare.load_scheme("openff-2.3.0")


def test_every_public_name_is_documented_and_comes_from_where_it_is_said_to():
    for name in ffshare.__all__:
        value = getattr(ffshare, name)
        assert name == "__version__" or (value.__name__ == name and value.__doc__)


def test_the_names_are_few_and_hold_the_main_job():
    assert len(ffshare.__all__) <= 20
    assert {"read", "load_scheme", "from_smiles", "explain", "match", "Assignment", "LinearTying"} <= set(
        ffshare.__all__
    )


def test_molecules_and_a_force_field_give_a_row_a_term_and_a_count(scheme):
    batch = ffshare.read(data_directory("molecules") / "drugs.smi")
    assert isinstance(batch, ffshare.GraphBatch)
    labels = scheme.assign(batch)
    assert isinstance(labels, ffshare.Assignment)
    table = labels.to_table()
    assert isinstance(table, pa.Table)
    assert table.column_names == LABEL_SCHEMA.names
    count = labels.count()
    assert isinstance(count, ffshare.Counts)
    assert (count["valence and vdW"].defined, count["all"].defined, count["Constraints"].defined) == (824, 836, 2)
    assert count["all"].sites + count["Constraints"].sites == table.num_rows


def test_ethanol_is_labelled_as_by_hand(scheme):
    labels = scheme.assign(ffshare.from_smiles("CCO")).to_table().to_pylist()
    bonds = {tuple(row["atoms"]): row["pattern"] for row in labels if row["section"] == "Bonds"}
    # C, C, O, three H of the first carbon, two of the second, that of the oxygen.
    assert bonds[0, 1] == "[#6X4:1]-[#6X4:2]"
    assert bonds[1, 2] == "[#6:1]-[#8:2]"
    assert {bonds[0, hydrogen] for hydrogen in (3, 4, 5)} == {"[#6X4:1]-[#1:2]"}
    assert bonds[2, 8] == "[#8:1]-[#1:2]"
    assert len([row for row in labels if row["section"] == "ProperTorsions"]) == 12


def test_a_tying_says_which_parameters_the_molecules_use(scheme):
    labels = scheme.assign(ffshare.from_smiles("CCO"))
    ties = labels.tying("Bonds", "k")
    assert isinstance(ties, ffshare.LinearTying)
    forces = ties.expand(labels.tables["Bonds"].columns["k"].values)
    assert forces.shape == (8,)
    used = {key[1] for key in ties.keys} - {key[1] for key in ties.unseen()}
    assert used == {row["rule_id"] for row in labels.to_table().to_pylist() if row["section"] == "Bonds"}


def test_an_explanation_names_the_rule_that_won(scheme):
    (one,) = ffshare.explain(scheme, ffshare.from_smiles("CCO"), ["Bonds"], [0, 1])
    assert one.winner.rule_id == "b1"


def test_a_pattern_is_matched_against_a_batch():
    assert sorted(ffshare.match("[#8:1]-[#1:2]", ffshare.from_smiles("O", "CO")).tolist()) == [[0, 1], [0, 2], [4, 8]]


def test_a_force_field_holds_tables_by_section():
    force_field = ffshare.load_force_field("openff-2.3.0")
    assert isinstance(force_field, ffshare.ForceField)
    assert force_field.tables["Bonds"].ids[0] == "b1"


def test_molecules_can_be_read_from_an_open_stream_and_in_batches():
    batch = ffshare.read("-", stdin=io.BytesIO(b"CCO ethanol\nO water\n"))
    assert batch.names == ("ethanol", "water")
    batches = list(ffshare.read_batches("-", batch_size=1, stdin=io.BytesIO(b"CCO ethanol\nO water\n")))
    assert [one.names for one in batches] == [("ethanol",), ("water",)]


def test_a_notebook_shows_an_assignment_as_a_table(scheme):
    html = scheme.assign(ffshare.from_smiles("CCO"))._repr_html_()
    assert html.startswith("<table><caption>openff-2.3.0: 1 molecules</caption>")
    assert "<td>valence and vdW</td><td>824</td>" in html
    assert "<script" not in html


def test_schemes_and_labels_travel_to_other_processes(scheme):
    batch = ffshare.from_smiles("CC(=O)NC", "c1ccccc1")
    copy = pickle.loads(pickle.dumps(scheme))
    there = pickle.loads(pickle.dumps(batch))
    assert np.array_equal(
        copy.assign(there).sites["ProperTorsions"].rule_idxs, scheme.assign(batch).sites["ProperTorsions"].rule_idxs
    )


def test_all_errors_are_of_one_family():
    with pytest.raises(ffshare.FfshareError, match="C1CC"):
        ffshare.from_smiles("CCO", "C1CC")
    with pytest.raises(ffshare.FfshareError, match="no such file"):
        ffshare.read("no_such_file.smi")
    assert issubclass(MoleculeError, ffshare.FfshareError)
    assert issubclass(InputError, ffshare.FfshareError)
