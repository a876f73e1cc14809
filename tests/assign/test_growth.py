"""Growth counts what the labels show, first seen first, and adds up over batches in order."""

from functools import reduce
from operator import add

import pytest

import ffshare
from ffshare.assign.growth import growth
from tests.assign.samples import part, scheme_of

SCHEMES = ["openff-2.2.1", "gaff", "gaff2", "mmff94", "untied"]


def plain_growth(assignment):
    """Parameters used by, and gaps shown by, each molecule for the first time, from the rows of the label table."""
    rows = assignment.to_table().to_pylist()
    types = {(row["molecule_idx"], row["atoms"][0]): row["rule_id"] for row in rows if row["section"] == "vdW"}
    n_parameters = {
        (section, rule_id): sum(
            int((column.rule_idxs == rule).sum()) for column in table.columns.values() if column.free
        )
        for section, table in assignment.tables.items()
        for rule, rule_id in enumerate(table.ids)
        if rule_id in {row["rule_id"] for row in rows if row["section"] == section}
    }
    defined = {section: table.ids[: len(table) - table.n_added] for section, table in assignment.tables.items()}
    used, gaps = set(), set()
    parameters_so_far, gaps_so_far = [0], [0]
    for molecule in assignment.batch.input_idxs.tolist():
        for row in (row for row in rows if row["molecule_idx"] == molecule and row["section"] != "Constraints"):
            section, rule_id, fallback = row["section"], row["rule_id"], row["fallback"]
            if rule_id is not None and (fallback is None or rule_id in defined[section]):
                used.add((section, rule_id))
            looked_up = assignment.tables[section].n_combinations is not None and section != "vdW"
            wild = rule_id is None or fallback is not None or {"X", "0"} & set(rule_id.split(":")[-1].split("-"))
            if looked_up and wild:
                names = [types[molecule, atom] for atom in row["atoms"]]
                key = (
                    (*sorted([names[0], names[2], names[3]]), names[1])
                    if section == "ImproperTorsions"
                    else tuple(min(names, names[::-1]))
                )
                gaps.add((section, key))
        parameters_so_far.append(sum(n_parameters[key] for key in used))
        gaps_so_far.append(len(gaps))
    return parameters_so_far, gaps_so_far


@pytest.mark.parametrize("name", SCHEMES)
def test_growth_is_that_of_a_plain_loop_over_the_labels(name, some_drugs):
    assignment = scheme_of(name).assign(some_drugs)
    found = growth(assignment)
    parameters, gaps = plain_growth(assignment)
    assert found.parameters().tolist() == parameters
    assert found.gaps().tolist() == gaps
    assert parameters[-1] == assignment.count()["all"].exercised


@pytest.mark.parametrize("name", SCHEMES)
def test_growths_of_batches_in_order_add_up(name, some_drugs):
    scheme = scheme_of(name)
    whole = growth(scheme.assign(some_drugs))
    cuts = [range(5), range(5, 6), range(6, 6), range(6, some_drugs.n_molecules)]
    total = reduce(add, (growth(scheme.assign(part(some_drugs, cut))) for cut in cuts))
    assert total.parameters().tolist() == whole.parameters().tolist()
    assert total.gaps().tolist() == whole.gaps().tolist()


def test_direct_perception_has_no_gaps_of_atom_types(some_drugs):
    found = growth(scheme_of("openff-2.2.1").assign(some_drugs))
    assert not found.first_gaps
    assert found.gaps().tolist() == [0] * (some_drugs.n_molecules + 1)


def test_no_molecules_grow_nothing():
    found = growth(scheme_of("openff-2.2.1").assign(ffshare.from_smiles()))
    assert (found.parameters().tolist(), found.gaps().tolist()) == ([0], [0])
