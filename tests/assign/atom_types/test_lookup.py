import pickle
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.atom_types.lookup import LOOKED_UP, Lookup
from ffshare.assign.sites import Coded
from tests.assign.atom_types.typed_samples import (
    BASES,
    PARTNERS,
    SAMPLES,
    all_samples,
    definition_of,
    flipped,
    lookup_of,
    renumbered,
    sample,
    typed,
)

MODES = ("canonical", "antechamber")
SWAP = {**PARTNERS, **BASES}
FORCE_FIELDS = ("gaff", "gaff2")


def texts_of(sites, idxs=None):
    coded = sites.fallbacks or Coded(idxs=np.full(len(sites), -1), texts=())
    return [None if idx < 0 else coded.texts[idx] for idx in coded.idxs.tolist()]


def terms(found):
    """Id of the rule, its values and the text of the fall-back of every site, by section and atoms."""
    result = {}
    for section, sites in found.sites.items():
        table = found.tables[section]
        values = {
            rule: tuple(tuple(c.values[c.rule_idxs == rule].tolist()) for c in table.columns.values())
            for rule in set(sites.rule_idxs.tolist())
        }
        weights = [1.0] * len(sites) if sites.weights is None else sites.weights.tolist()
        for row, rule, text, weight in zip(
            sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), texts_of(sites), weights, strict=True
        ):
            rule_id = table.ids[rule] if rule >= 0 else None
            result[section, tuple(row)] = (rule_id, values[rule], text, weight)
    return result


def named(section, atoms):
    """Atoms in an order that names the term, whatever the atoms are numbered."""
    if section == "ImproperTorsions":
        return (atoms[1], atoms[2], frozenset((atoms[0], atoms[3])))
    return min(atoms, atoms[::-1])


# The oracle: what the tables say, by dictionaries and loops.


def plain_tables(name):
    tables = {}
    for section, table in definition_of(name).tables.items():
        tables[section] = {}
        for rule_id in table.ids:
            tables[section].setdefault(tuple(rule_id.split("-")), rule_id)
    return tables


def plain_versions(types, groups, canonical):
    """All types that mean the same, by flipping every set of groups."""
    numbers = sorted({group for name, group in zip(types, groups, strict=True) if name in SWAP})
    for chosen in product((False, True), repeat=len(numbers) if canonical else 0):
        turned = {number for number, is_turned in zip(numbers, chosen, strict=False) if is_turned}
        yield tuple(SWAP.get(t, t) if g in turned else t for t, g in zip(types, groups, strict=True))


def plain_row(tables, section, types, groups, canonical):
    """The row that a term gets from the table itself, None where it needs a fall-back."""
    versions = list(plain_versions(types, groups, canonical))
    table = tables[section]
    if section == "ImproperTorsions":
        found = []
        for first, second, centre, third in versions:
            for row, rule_id in table.items():
                outer = [row[0], row[1], row[3]]
                wanted = [name for name in outer if name != "X"]
                left = [first, second, third]
                fits = row[2] == centre
                for name in wanted:
                    fits = fits and name in left
                    if fits:
                        left.remove(name)
                if fits:
                    found.append((3 - len(wanted), sorted(wanted), row[2], list(table).index(row), rule_id))
        return min(found)[-1] if found else None
    levels = [versions]
    if section == "ProperTorsions":
        levels.append([("X", b, c, "X") for _, b, c, _ in versions])
    for level in levels:
        for key in sorted(min(one, one[::-1]) for one in level):
            for way in (key, key[::-1]):
                if way in table:
                    return table[way]
    return None


def groups_of(atoms, row):
    return [int(atoms.components[a]) if atoms.components[a] >= 0 else -1 - place for place, a in enumerate(row)]


def check_against_the_oracle(name, mode, batch, atoms):
    tables = plain_tables(name)
    found = lookup_of(name, mode).find(batch, atoms)
    n_tables_own = 0
    for section in LOOKED_UP:
        sites = found.sites[section]
        for row, rule, text in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), texts_of(sites), strict=True):
            order = row[::-1] if section == "ImproperTorsions" else row
            types = tuple(atoms.names[atoms.types[atom]] for atom in order)
            expected = plain_row(tables, section, types, groups_of(atoms, order), mode == "canonical")
            if expected is None:
                assert rule < 0 or text is not None
            else:
                assert (found.tables[section].ids[rule], text) == (expected, None)
                n_tables_own += 1
    return n_tables_own


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_real_types_are_looked_up_as_by_plain_loops(name, mode):
    assert check_against_the_oracle(name, mode, *all_samples(name)) > 500


@settings(max_examples=25)
@given(data=st.data(), mode=st.sampled_from(MODES), name=st.sampled_from(FORCE_FIELDS))
def test_random_types_are_looked_up_as_by_plain_loops(data, mode, name):
    batch = ffshare.from_smiles("CC(=O)Nc1cncs1")
    # Few types, of which many combinations are in the tables.
    few = ("c", "c3", "ca", "cc", "cd", "ce", "cf", "n", "nc", "nd", "o", "hc", "ha")
    types = data.draw(st.lists(st.sampled_from(few), min_size=batch.n_atoms, max_size=batch.n_atoms))
    check_against_the_oracle(name, mode, batch, typed(batch, types))


def test_every_bonded_tuple_is_a_site_and_every_atom_has_its_van_der_waals_row():
    batch, atoms = all_samples()
    found = lookup_of("gaff").find(batch, atoms)
    near = [set(batch.targets[batch.row_offsets[a] : batch.row_offsets[a + 1]].tolist()) for a in range(batch.n_atoms)]
    angles = {(min(a, c), b, max(a, c)) for b in range(batch.n_atoms) for a, c in combinations(near[b], 2)}
    propers = {
        min((a, b, c, d), (d, c, b, a))
        for b in range(batch.n_atoms)
        for c in near[b]
        for a in near[b] - {c}
        for d in near[c] - {a, b}
    }
    assert set(map(tuple, found.sites["Bonds"].atom_idxs.tolist())) == {tuple(row) for row in batch.bonds.tolist()}
    assert set(map(tuple, found.sites["Angles"].atom_idxs.tolist())) == angles
    assert set(map(tuple, found.sites["ProperTorsions"].atom_idxs.tolist())) == propers
    vdw = found.sites["vdW"]
    assert vdw.atom_idxs[:, 0].tolist() == list(range(batch.n_atoms))
    ids = found.tables["vdW"].ids
    assert [ids[rule] for rule in vdw.rule_idxs.tolist()] == [atoms.names[name] for name in atoms.types.tolist()]


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
@pytest.mark.parametrize("name", SAMPLES)
def test_flipping_a_component_changes_nothing_in_canonical_mode(name, force_field):
    batch, atoms = sample(name, force_field)
    lookup = lookup_of(force_field)
    expected = terms(lookup.find(batch, atoms))
    for component in sorted(set(atoms.components.tolist()) - {-1}):
        assert bonded(terms(lookup.find(batch, flipped(atoms, [component])))) == bonded(expected)


def bonded(found):
    """All terms but van der Waals: the atom types themselves are other ones."""
    return {key: value for key, value in found.items() if key[0] != "vdW"}


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
@pytest.mark.parametrize("name", SAMPLES)
def test_renumbering_atoms_changes_nothing_in_canonical_mode(name, force_field):
    batch, atoms = sample(name, force_field)
    lookup = lookup_of(force_field)
    expected = {
        (section, named(section, row)): value for (section, row), value in terms(lookup.find(batch, atoms)).items()
    }
    rng = np.random.default_rng(5)
    for _ in range(4):
        order = rng.permutation(batch.n_atoms).tolist()
        again, same = renumbered(batch, atoms, order)
        turned = flipped(same, sorted(set(same.components.tolist()) - {-1})[::2])
        found = {
            (section, named(section, tuple(order[atom] for atom in row))): value
            for (section, row), value in terms(lookup.find(again, turned)).items()
        }
        assert bonded(found) == bonded(expected)


def test_flipping_changes_values_in_antechamber_mode():
    batch, atoms = sample("hexatriene", "gaff2")
    lookup = lookup_of("gaff2", "antechamber")
    component = sorted(set(atoms.components.tolist()) - {-1})
    first, second = (terms(lookup.find(batch, one)) for one in (atoms, flipped(atoms, component)))
    # c2-ce and c2-cf are other lines of the file.
    assert any(first[key] != second[key] for key in first if key[0] == "Bonds")


def test_the_same_row_serves_a_key_and_its_twin():
    batch, atoms = sample("hexatriene", "gaff2")
    found = lookup_of("gaff2").find(batch, atoms)
    ids = [found.tables["Bonds"].ids[rule] for rule in found.sites["Bonds"].rule_idxs.tolist()]
    by_atoms = dict(zip(map(tuple, found.sites["Bonds"].atom_idxs.tolist()), ids, strict=True))
    # The chain 0=1-2=3-4=5 is typed c2 ce ce cf cf c2.
    assert [by_atoms[pair] for pair in ((0, 1), (4, 5), (1, 2), (3, 4), (2, 3))] == [
        "c2-ce", "c2-ce", "ce-ce", "ce-ce", "ce-cf"
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_what_a_batch_gets_does_not_depend_on_the_batches_before(mode):
    batch, atoms = all_samples("gaff2")
    fresh, worn = lookup_of("gaff2", mode), lookup_of("gaff2", mode)
    rng = np.random.default_rng(2)
    shuffled = [atoms.names[name] for name in rng.permutation(atoms.types).tolist()]
    before = worn.find(batch, typed(batch, shuffled))
    expected, found = fresh.find(batch, atoms), worn.find(batch, atoms)
    assert any(table.n_added for table in before.tables.values())
    for section in expected.sites:
        first, second = expected.sites[section], found.sites[section]
        assert expected.tables[section].ids == found.tables[section].ids
        np.testing.assert_array_equal(first.atom_idxs, second.atom_idxs)
        np.testing.assert_array_equal(first.rule_idxs, second.rule_idxs)
        assert texts_of(first) == texts_of(second)
        assert (first.fallbacks and first.fallbacks.texts) == (second.fallbacks and second.fallbacks.texts)


def test_added_rules_stand_behind_the_table_sorted_by_id():
    batch = ffshare.from_smiles("CS(=O)(=O)F", "CS(=O)O")
    names = "c3 sy o o f hc hc hc c3 sx o oh hc hc hc ho"
    found = lookup_of("gaff").find(batch, typed(batch, names.split()))
    for section in ("Bonds", "Angles"):
        table, static = found.tables[section], definition_of("gaff").tables[section]
        assert table.ids[: len(static)] == static.ids
        added = table.ids[len(static) :]
        assert table.n_added == len(added)
        assert list(added) == sorted(added)
        rules = found.sites[section].rule_idxs
        assert set(range(len(static), len(table))) <= set(rules.tolist())
    assert found.tables["Bonds"].ids[-2:] == ("f-sy", "oh-sx")
    assert found.tables["Bonds"].n_effective == definition_of("gaff").tables["Bonds"].n_effective


def test_molecules_without_a_guess_get_the_tables_themselves():
    batch = ffshare.from_smiles("CC")
    found = lookup_of("gaff").find(batch, typed(batch, ["c3"] * 2 + ["hc"] * 6))
    assert {section: table.n_added for section, table in found.tables.items()} == dict.fromkeys(found.tables, 0)
    assert found.tables["Bonds"] is definition_of("gaff").tables["Bonds"]
    assert all(sites.fallbacks is None for sites in found.sites.values())


def test_atoms_without_a_type_leave_their_terms_without_a_parameter():
    batch = ffshare.from_smiles("CB(O)O")
    types = ["c3", "c3", "oh", "oh", "hc", "hc", "hc", "ho", "ho"]
    atoms = typed(batch, types)
    lacking = np.array(atoms.types)
    lacking[1] = -1
    found = lookup_of("gaff").find(batch, replace(atoms, types=lacking, base_types=lacking))
    for sites in found.sites.values():
        with_boron = np.any(sites.atom_idxs == 1, axis=1)
        assert np.all(sites.rule_idxs[with_boron] == -1)
        assert np.all(sites.rule_idxs[~with_boron] >= 0)
    assert len(found.sites["ImproperTorsions"]) == 0


def test_an_empty_batch_has_no_sites():
    batch = ffshare.from_smiles()
    found = lookup_of("gaff").find(batch, typed(batch, []))
    assert {section: len(sites) for section, sites in found.sites.items()} == dict.fromkeys(found.sites, 0)


@pytest.mark.parametrize("mode", MODES)
def test_the_steps_of_a_site_end_at_what_it_gets(mode):
    batch, atoms = all_samples("gaff2")
    lookup = lookup_of("gaff2", mode)
    found = lookup.find(batch, atoms)
    for section in LOOKED_UP:
        sites, table = found.sites[section], found.tables[section]
        steps = lookup.steps(batch, atoms, section)
        assert len(steps) == len(sites)
        for tried, rule, text in zip(steps, sites.rule_idxs.tolist(), texts_of(sites), strict=True):
            assert all(step.rule_idx < 0 for step in tried[:-1])
            if rule >= 0:
                assert tried[-1].key == table.ids[rule]
                assert tried[-1].rule_idx in (rule, -1)
                assert (text is None) == (tried[-1].level in ("specific", "general"))


def test_new_names_of_types_are_learned_afresh():
    batch, atoms = sample("methyl acetate")
    lookup = lookup_of("gaff")
    expected = terms(lookup.find(batch, atoms))
    names = ("a0", *atoms.names)
    shifted = replace(atoms, names=names, types=atoms.types + 1, base_types=atoms.base_types + 1)
    assert terms(lookup.find(batch, shifted)) == expected


def test_a_look_up_pickles_as_its_force_field():
    batch, atoms = sample("nitroethene")
    lookup = lookup_of("gaff", "antechamber")
    expected = terms(lookup.find(batch, atoms))
    copied = pickle.loads(pickle.dumps(lookup))
    assert isinstance(copied, Lookup)
    assert copied.mode == "antechamber"
    assert terms(copied.find(batch, atoms)) == expected
