"""Schemes with the values of a table: the sharing of the base, the numbers of the file."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import ffshare
from ffshare.errors import RuleFileError, SchemeError
from ffshare.rules.value_table import read_values, values_of, write_values

SMILES = ("CCO", "CC(=O)NC")


def moved(assignment):
    """The values of an assignment's tables, rules that were made for its molecules included, each moved."""
    table = values_of(assignment.scheme, assignment.tables)
    rng = np.random.default_rng(2)
    return replace(table, values={key: value * rng.uniform(0.5, 1.5) for key, value in table.values.items()})


@pytest.mark.parametrize("name", ["untied", "hashed:openff-2.2.1?seed=3", "hashed-element:gaff", "gaff2", "mmff94"])
def test_a_scheme_with_a_table_shares_as_its_base_and_has_the_values_of_the_table(name, tmp_path):
    batch = ffshare.from_smiles(*SMILES)
    given = ffshare.load_scheme(name).assign(batch)
    table, path = moved(given), tmp_path / "values.csv"
    write_values(path, table)
    scheme = ffshare.load_scheme(path)
    found = scheme.assign(batch)
    assert found.scheme == str(path)
    assert str(path) in scheme.checksums
    for section, sites in found.sites.items():
        assert np.array_equal(sites.rule_idxs, given.sites[section].rule_idxs)
        assert found.tables[section].ids == given.tables[section].ids
    assert values_of("", found.tables).values == table.values
    # The order of the molecules, and whether they come together, changes nothing.
    alone = scheme.assign(ffshare.from_smiles(SMILES[1]))
    assert values_of("", alone.tables).values.items() <= table.values.items()


def test_a_molecule_that_the_table_does_not_know_keeps_the_values_of_the_base(tmp_path):
    path = tmp_path / "values.csv"
    untied = ffshare.load_scheme("untied")
    write_values(path, moved(untied.assign(ffshare.from_smiles("CCO"))))
    batch = ffshare.from_smiles("CCN")
    found = ffshare.load_scheme(path).assign(batch).tables
    assert values_of("", found).values == values_of("", untied.assign(batch).tables).values


def test_it_travels_to_other_processes(tmp_path):
    path, batch = tmp_path / "values.csv", ffshare.from_smiles(*SMILES)
    write_values(path, moved(ffshare.load_scheme("untied").assign(batch)))
    scheme = ffshare.load_scheme(path)
    copy = pickle.loads(pickle.dumps(scheme))
    assert values_of("", copy.assign(batch).tables).values == values_of("", scheme.assign(batch).tables).values
    assert next(iter(scheme.explanations(batch, "Bonds"))).matches[0].wins


def test_tables_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "values.csv"
    heads = "section,rule_id,column,term,value,unit"
    path.write_text(f"# values for gaff\n{heads}\nBonds,c-c,length,0,1.5,nm\nBonds,c-c,width,0,1.5,Å\n")
    with pytest.raises(
        RuleFileError, match=r"2 faults\n  Bonds length: has the unit 'nm'; expected 'Å'\n  Bonds width"
    ):
        ffshare.load_scheme(path)
    path.write_text(f"# values for {path}\n{heads}\n")
    with pytest.raises(RuleFileError, match="is a table of values too; expected a scheme"):
        ffshare.load_scheme(path)
    assert read_values(path).values == {}
    path.write_text(f"# values for none such\n{heads}\n")
    with pytest.raises(SchemeError, match="none such"):
        ffshare.load_scheme(path)
    with pytest.raises(SchemeError, match="only SMIRNOFF rules can be appended"):
        ffshare.load_scheme("openff-2.2.1", path)
