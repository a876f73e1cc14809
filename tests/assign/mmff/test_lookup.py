"""The law of the MMFF94 schemes: the number in the row of a site's key is RDKit's, unless the site says otherwise."""

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.assign import COMPLETE_SECTIONS
from ffshare.assign.mmff import MmffScheme
from ffshare.assign.mmff.getters import GETTERS
from ffshare.assign.mmff.tables import FORMS
from ffshare.assign.mmff.typing import type_batch
from ffshare.data_files import data_directory
from tests.assign.mmff.oracle import Oracle

VARIANTS = {"mmff94": "MMFF94", "mmff94s": "MMFF94s"}


def numbers_of_rules(table):
    """The free numbers of each rule, columns and terms in order, 0 where there is none."""
    numbers = [[] for _ in range(len(table))]
    for column in table.columns.values():
        if column.free:
            grid = np.zeros((len(table), int(column.terms.max(initial=0)) + 1))
            grid[column.rule_idxs, column.terms] = column.values
            for row, given in zip(numbers, grid.tolist(), strict=True):
                row.extend(given)
    return numbers


def check_numbers(scheme, batch):
    """Compares every site with RDKit's getter; the number of those that a row gives, and of those that none does."""
    assignment, typed = scheme.assign(batch), type_batch(batch, VARIANTS[scheme.name])
    n_from_rows = n_empirical = 0
    for section, getter in GETTERS.items():
        sites, table = assignment.sites[section], assignment.tables[section]
        numbers, guessed = numbers_of_rules(table), sites.guessed.tolist()
        local = batch.local_idxs(sites.atom_idxs).tolist()
        for place, (molecule, rule) in enumerate(
            zip(sites.molecule_idxs.tolist(), sites.rule_idxs.tolist(), strict=True)
        ):
            found = typed.molecules[molecule]
            if found is None:
                assert rule == -1
                continue
            given = getter(found.properties, found.molecule, found.atoms(local[place]))
            expected = (
                np.zeros(len(FORMS[section].factors)) if given is None else np.array(given) * FORMS[section].factors
            )
            # The empirical rules round otherwise if the atoms come the other way round.
            assert numbers[rule] == (pytest.approx(expected, rel=1e-14) if guessed[place] else expected.tolist())
            assert guessed[place] == (rule >= len(scheme.tables[section]))
            n_empirical += guessed[place]
            n_from_rows += not guessed[place]
    return n_from_rows, n_empirical


def check_keys(scheme, batch):
    """Compares the row of every site with that of the plain look-up; the number of those compared."""
    assignment, typed, oracle = scheme.assign(batch), type_batch(batch, VARIANTS[scheme.name]), Oracle(scheme.name)
    expected = [{} if one is None else oracle.of_molecule(Chem.Mol(one.molecule)) for one in typed.molecules]
    n_compared = 0
    for section in ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions"):
        sites, table = assignment.sites[section], assignment.tables[section]
        local, guessed = batch.local_idxs(sites.atom_idxs).tolist(), sites.guessed.tolist()
        for place, (molecule, rule) in enumerate(
            zip(sites.molecule_idxs.tolist(), sites.rule_idxs.tolist(), strict=True)
        ):
            found = typed.molecules[molecule]
            if found is None:
                continue
            row = expected[molecule][section, tuple(found.atoms(local[place]))]
            if not guessed[place]:
                assert table.ids[rule] == row
                n_compared += 1
            elif section == "Angles" and row is not None:
                text = assignment.sites[section].fallbacks.texts[sites.fallbacks.idxs[place]]
                assert text == f"empirical rule for the force constant; angle of {row}"
            else:
                assert row is None
    return n_compared


def test_every_number_is_rdkits_and_comes_from_a_row_unless_its_site_says_otherwise(scheme, assorted):
    n_from_rows, n_empirical = check_numbers(scheme, assorted)
    assert n_from_rows > 20_000
    assert 0 < n_empirical < 0.01 * n_from_rows


def test_every_key_is_that_of_the_first_row_that_stepping_down_finds(scheme, assorted):
    assert check_keys(scheme, assorted) > 10_000


@pytest.mark.full
@pytest.mark.parametrize("name", ["drugs", "fragments", "alkethoh"])
def test_all_molecules_that_ship_have_rdkits_numbers_and_the_first_rows(scheme, name):
    batch = ffshare.read(data_directory("molecules") / f"{name}.smi")
    assert sum(check_numbers(scheme, batch)) > 30_000
    assert check_keys(scheme, batch) > 10_000


def test_every_site_is_there_once_and_complete_sections_hold_all_that_is_not_linear(mmff94, assorted):
    assignment = mmff94.assign(assorted)
    for section, sites in assignment.sites.items():
        assert len({tuple(row) for row in sites.atom_idxs.tolist()}) == len(sites)
        if section not in COMPLETE_SECTIONS:
            assert np.all(sites.rule_idxs >= 0)
    types = mmff94.types(assorted)
    assert len(assignment.sites["Bonds"]) == assorted.n_bonds
    linear = np.isin(types, [number for number, symbol in mmff94.symbols.items() if symbol in ("CSP", "=N=", "NR%")])
    centres = assignment.sites["Angles"].atom_idxs[:, 1]
    assert len(assignment.sites["StretchBends"]) == 2 * int((~linear[centres] & (types[centres] > 0)).sum())


def test_a_value_of_an_empirical_rule_tells_which_keys_were_tried(mmff94):
    assignment = mmff94.assign(ffshare.from_smiles("C1CC1c1cc[nH]n1"))
    rows = [row for row in assignment.to_table().to_pylist() if row["fallback"]]
    assert {row["rule_id"] for row in rows if row["section"] == "ProperTorsions"} == {
        "torsion:0:22-22-64-64",
        "torsion:0:5-22-64-64",
        "torsion:0:22-22-64-65",
        "torsion:0:5-22-64-65",
    }
    (text,) = {row["fallback"] for row in rows if row["rule_id"] == "torsion:0:5-22-64-65"}
    assert text.startswith("empirical rule: no row for torsion:0:5-22-64-65, torsion:0:5-22-64-0, ")


def test_an_empirical_value_depends_on_the_bond_in_the_middle_and_its_id_tells_so(mmff94):
    assignment = mmff94.assign(ffshare.from_smiles("CS(C)=NC", "CS(=N)C", "c1cc[o+]cc1"))
    added = assignment.tables["ProperTorsions"].ids[len(mmff94.tables["ProperTorsions"]) :]
    assert any("=" in rule_id for rule_id in added)
    assert any("~" in rule_id for rule_id in added)


def test_what_no_row_gives_is_added_for_the_batch_and_the_tables_stay_as_they_were(mmff94, hard):
    before = {section: table.ids for section, table in mmff94.tables.items()}
    assignment = mmff94.assign(hard)
    for section, table in assignment.tables.items():
        n_rows = len(mmff94.tables[section])
        added = table.ids[n_rows:]
        assert table.n_added == len(added)
        assert table.ids[:n_rows] == before[section] == mmff94.tables[section].ids
        assert list(added) == sorted(set(added))
        sites = assignment.sites[section]
        assert set(sites.rule_idxs[sites.guessed].tolist()) == set(range(n_rows, len(table)))
    assert sum(table.n_added for table in assignment.tables.values()) >= 15


def test_a_molecule_without_types_has_sites_without_rules_and_its_neighbours_do_not_mind(mmff94):
    assignment = mmff94.assign(ffshare.from_smiles("CB(O)O", "CCO"))
    for section, sites in assignment.sites.items():
        is_first = sites.molecule_idxs == 0
        assert np.all(sites.rule_idxs[is_first] == -1)
        assert np.all(sites.rule_idxs[~is_first] >= 0)
        assert is_first.any() == (section in COMPLETE_SECTIONS)
    assert mmff94.types(ffshare.from_smiles("CB(O)O")).tolist() == [0] * 9


def test_the_variants_differ_in_torsions_and_out_of_plane_bends_only(mmff94):
    batch = ffshare.from_smiles("CNC(=O)c1ccccc1", "C=CNC")
    one, other = mmff94.assign(batch), MmffScheme("mmff94s").assign(batch)
    for section, sites in one.sites.items():
        assert sites.rule_idxs.tolist() == other.sites[section].rule_idxs.tolist()
        values = [scheme.tables[section].columns for scheme in (one, other)]
        same = all(np.array_equal(values[0][name].values, values[1][name].values) for name in values[0])
        assert same == (section not in ("ProperTorsions", "ImproperTorsions"))
