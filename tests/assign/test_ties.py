"""Ties are what a plain loop over sites and terms says, and openff-interchange computes the same barriers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import SchemeError
from ffshare.rules import load_force_field
from tests.assign.samples import scheme_of

FORCE_FIELDS = ("openff-1.0.0", "openff-2.3.0", "openff-2.0.0-rc.1", "tip5p", "alkethoh-smirks")


def values_of(table, column):
    """Value of each (rule, term) of a column."""
    entries = table.columns.get(column)
    if entries is None:
        return {}
    return dict(
        zip(zip(entries.rule_idxs.tolist(), entries.terms.tolist(), strict=True), entries.values.tolist(), strict=True)
    )


def loop(assignment, section, column):
    """Parameter (rule, term) and coefficient of every entry, one site and one term after the other; None: fixed."""
    table, sites, batch = assignment.tables[section], assignment.sites[section], assignment.batch
    free, periodicities, divisors = (values_of(table, name) for name in (column, "periodicity", "idivf"))
    n_terms = {}
    for rule, term in (*free, *periodicities):
        n_terms[rule] = max(n_terms.get(rule, 1), term + 1)
    entries = []
    for atoms, rule in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True):
        if rule < 0:
            entries.append((None, 0.0))
            continue
        for term in range(n_terms.get(rule, 1)):
            divisor = divisors.get((rule, term), 1.0) if column.startswith("k") else 1.0
            if np.isnan(divisor):
                divisor = (batch.degrees[atoms[1]] - 1) * (batch.degrees[atoms[2]] - 1)
            entries.append(((rule, term), 1 / divisor) if (rule, term) in free else (None, 0.0))
    return entries


def assert_as_the_loop_says(assignment, section, column):
    tying = assignment.tying(section, column)
    table, entries = assignment.tables[section], loop(assignment, section, column)
    parameters = list(values_of(table, column))
    assert tying.n_free == len(parameters)
    assert tying.n_site == len(entries)
    tied = [(place, *entry) for place, entry in enumerate(entries) if entry[0] is not None]
    assert tying.site.tolist() == [place for place, _, _ in tied]
    assert [parameters[free] for free in tying.free.tolist()] == [parameter for _, parameter, _ in tied]
    coefficients = np.ones(tying.nnz) if tying.coef is None else tying.coef
    assert np.allclose(coefficients, [coefficient for _, _, coefficient in tied], rtol=1e-15)
    theta = np.arange(1.0, len(parameters) + 1)
    place_of = {parameter: place for place, parameter in enumerate(parameters)}
    expected = [
        0.0 if parameter is None else coefficient * theta[place_of[parameter]] for parameter, coefficient in entries
    ]
    assert np.allclose(tying.expand(theta), expected, rtol=1e-15)
    assert_keys_name_the_parameters(tying, table, column, parameters)
    return tying


def assert_keys_name_the_parameters(tying, table, column, parameters):
    n_before = {rule: table.ids[:rule].count(rule_id) for rule, rule_id in enumerate(table.ids)}
    names = [table.ids[rule] + (f" ({n_before[rule] + 1})" if n_before[rule] else "") for rule, _ in parameters]
    assert list(tying.keys) == [
        (table.section, name, column, term) for name, (_, term) in zip(names, parameters, strict=True)
    ]


# Patterns that match all tuples, some, or none of the molecules below.
PATTERNS = {
    "Bonds": ("[*:1]~[*:2]", "[#6:1]-[#6:2]", "[#6X4:1]-[#1:2]", "[#9:1]~[#9:2]"),
    "ProperTorsions": (
        "[*:1]~[*:2]~[*:3]~[*:4]",
        "[*:1]-[#6X4:2]-[#6X4:3]-[*:4]",
        "[*:1]~[#6X3:2]~[*:3]~[*:4]",
        "[*:1]-[#8:2]-[*:3]-[*:4]",
    ),
    "ImproperTorsions": ("[*:1]~[#6X3:2](~[*:3])~[*:4]", "[*:1]~[#7X3:2](~[*:3])~[*:4]"),
}
SMALL = ("CCO", "CC(=O)N", "c1ccccc1", "CC", "F", "C1CC1")


@st.composite
def terms(draw, number, in_orders):
    """Attributes of one term; the barrier is one number, or one for each of two bond orders."""
    text = f'periodicity{number}="{draw(st.integers(1, 6))}" phase{number}="0 * degree" '
    for name in (f"k{number}_bondorder1", f"k{number}_bondorder3") if in_orders else (f"k{number}",):
        text += f'{name}="{draw(st.integers(-5, 5))} * kcal/mol" '
    return text


@st.composite
def torsion_rules(draw, element):
    """A torsion of one to three terms, its idivf given, left to the molecule, or left out."""
    divisor = draw(st.sampled_from(["", "auto", "3", "1.5"]))
    in_orders = element == "Proper" and draw(st.booleans())
    text = ""
    for number in range(1, draw(st.integers(1, 3)) + 1):
        text += draw(terms(number, in_orders)) + (f'idivf{number}="{divisor}" ' if divisor else "")
    return text


@st.composite
def force_fields(draw):
    """The text of an offxml file with some rules of three sections, ids repeated now and then."""
    ids = st.sampled_from(["r1", "r2", "r3"])
    lines = ['<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">', '<Bonds version="0.4">']
    for pattern in draw(st.lists(st.sampled_from(PATTERNS["Bonds"]), max_size=4)):
        values = draw(
            st.sampled_from(
                [
                    'length="1 * angstrom" k="600 * kcal/mol/angstrom**2"',
                    'length_bondorder1="1 * angstrom" length_bondorder2="1.5 * angstrom" k="2 * kcal/mol/angstrom**2"',
                ]
            )
        )
        lines.append(f'<Bond smirks="{pattern}" id="{draw(ids)}" {values}/>')
    lines.append("</Bonds>")
    for section, element in (("ProperTorsions", "Proper"), ("ImproperTorsions", "Improper")):
        lines.append(f'<{section} version="{"0.4" if element == "Proper" else "0.3"}" default_idivf="auto">')
        for pattern in draw(st.lists(st.sampled_from(PATTERNS[section]), max_size=4)):
            lines.append(f'<{element} smirks="{pattern}" id="{draw(ids)}" {draw(torsion_rules(element))}/>')
        lines.append(f"</{section}>")
    return "\n".join([*lines, "</SMIRNOFF>"])


def assignment_of(folder, text, *smiles, mode="spec"):
    path = folder / "rules.offxml"
    path.write_text(text)
    return SmirnoffScheme(load_force_field(path, mode=mode)).assign(ffshare.from_smiles(*smiles))


@settings(max_examples=50)
@given(text=force_fields(), smiles=st.lists(st.sampled_from(SMALL), max_size=3))
def test_ties_of_random_rules_are_those_of_a_plain_loop(tmp_path_factory, text, smiles):
    assignment = assignment_of(tmp_path_factory.getbasetemp(), text, *smiles)
    for section, table in assignment.tables.items():
        found = [assert_as_the_loop_says(assignment, section, column) for column in table.columns]
        # The entries of all columns of a section stand side by side.
        assert len({tying.n_site for tying in found}) <= 1


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_ties_of_released_force_fields_are_those_of_a_plain_loop(name, some_drugs):
    assignment = scheme_of(name).assign(some_drugs)
    for section, table in assignment.tables.items():
        for column in table.columns:
            assert_as_the_loop_says(assignment, section, column)


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_uses_and_rank_of_the_parameters_are_those_of_a_plain_count(name, some_drugs):
    assignment = scheme_of(name).assign(some_drugs)
    for section, table in assignment.tables.items():
        uses = Counter(assignment.sites[section].rule_idxs.tolist())
        for name, column in table.columns.items():
            tying = assignment.tying(section, name)
            expected = [uses[rule] for rule in column.rule_idxs.tolist()]
            assert tying.counts.tolist() == expected
            assert tying.unseen() == tuple(key for key, use in zip(tying.keys, expected, strict=True) if use == 0)
            assert tying.rank() == np.count_nonzero(expected) == tying.n_free - len(tying.unseen())


def test_barriers_at_the_sites_are_those_that_openff_interchange_computes():
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    smirnoff = pytest.importorskip("openff.interchange.smirnoff", reason="openff-interchange is not installed")
    smiles = "CC(=O)Nc1ccc(cc1)S(=O)(=O)N1CCOC1"
    topology = toolkit.Molecule.from_smiles(smiles, allow_undefined_stereo=True).to_topology()
    force_field = toolkit.ForceField("openff-2.2.1.offxml")
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles(smiles))
    for section, collection in (
        ("ProperTorsions", smirnoff.SMIRNOFFProperTorsionCollection),
        ("ImproperTorsions", smirnoff.SMIRNOFFImproperTorsionCollection),
    ):
        theirs = collection.create(parameter_handler=force_field[section], topology=topology)
        # Of a trefoil all three terms are listed, centre first.
        expected = Counter()
        for key, potential in theirs.key_map.items():
            values = theirs.potentials[potential].parameters
            atoms = (
                key.atom_indices
                if section == "ProperTorsions"
                else (key.atom_indices[0], *sorted(key.atom_indices[1:]))
            )
            barrier = (values["k"] / values["idivf"]).m_as("kilocalorie / mole")
            expected[
                min(atoms, atoms[::-1]) if section == "ProperTorsions" else atoms, key.mult, round(barrier, 9)
            ] += 1
        table, tying = assignment.tables[section], assignment.tying(section, "k")
        sites = assignment.sites[section]
        found = Counter()
        barriers = iter(tying.expand(table.columns["k"].values).tolist())
        for atoms, rule in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True):
            for term in range(int((table.columns["k"].rule_idxs == rule).sum())):
                named = tuple(atoms) if section == "ProperTorsions" else (atoms[1], atoms[0], *atoms[2:])
                found[named, term, round(next(barriers), 9)] += 1 if section == "ProperTorsions" else 3
        assert found == expected
        assert len(found) > 3


HEAD = '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">'
TERM = 'periodicity1="3" phase1="0 * degree" k1="1.8 * kcal/mol"'


def torsions(section, element, smirks, attributes, settings=""):
    return (
        f'{HEAD}<{section} version="0.3" {settings}><{element} smirks="{smirks}" {attributes}/></{section}></SMIRNOFF>'
    )


# Torsion about C-C in ethane (3 × 3 propers), C-O in methanol (3 × 1), and the two bonds of propane (3 × 3 each).
@pytest.mark.parametrize(("smiles", "divisor", "n_propers"), [("CC", 9, 9), ("CO", 3, 3), ("CCC", 9, 18)])
def test_idivf_left_to_the_molecule_counts_the_propers_about_a_bond(tmp_path, smiles, divisor, n_propers):
    text = torsions("ProperTorsions", "Proper", "[*:1]~[*:2]~[*:3]~[*:4]", TERM + ' idivf1="auto"')
    tying = assignment_of(tmp_path, text, smiles).tying("ProperTorsions", "k")
    assert np.allclose(tying.expand([1.8]), [1.8 / divisor] * n_propers)


@given(
    smiles=st.lists(
        st.sampled_from(["CCO", "C=C", "CC(=O)N", "c1ccccc1", "CN=C", "OO", "C1CCC1"]), min_size=1, max_size=3
    )
)
def test_idivf_left_to_the_molecule_gives_every_bond_one_barrier(tmp_path_factory, smiles):
    text = torsions("ProperTorsions", "Proper", "[*:1]~[*:2]~[*:3]~[*:4]", TERM, 'default_idivf="auto"')
    assignment = assignment_of(tmp_path_factory.getbasetemp(), text, *smiles)
    barriers = assignment.tying("ProperTorsions", "k").expand([1.8])
    about = Counter()
    for (_, j, k, _), barrier in zip(
        assignment.sites["ProperTorsions"].atom_idxs.tolist(), barriers.tolist(), strict=True
    ):
        about[frozenset((j, k))] += barrier
    assert np.allclose(list(about.values()), 1.8)


@pytest.mark.parametrize(
    ("of_section", "attributes", "coefficient"),
    [
        ('default_idivf="auto"', "", 1 / 3),
        ("", "", 1 / 3),
        ('default_idivf="1"', "", 1.0),
        ('default_idivf="auto"', 'idivf1="2"', 0.5),
    ],
)
def test_a_trefoil_improper_takes_a_third_of_its_barrier_unless_the_file_says_otherwise(
    tmp_path, of_section, attributes, coefficient
):
    text = torsions("ImproperTorsions", "Improper", "[*:1]~[#6X3:2](~[*:3])~[*:4]", f"{TERM} {attributes}", of_section)
    tying = assignment_of(tmp_path, text, "C=O").tying("ImproperTorsions", "k")
    assert tying.keys == (("ImproperTorsions", "[*:1]~[#6X3:2](~[*:3])~[*:4]", "k", 0),)
    assert tying.expand([1.2]).tolist() == pytest.approx([1.2 * coefficient])


@pytest.fixture
def mixed_barriers(tmp_path):
    """Propers of CC with two terms of two bond orders each, those of CO with one plain term, all divided by 2."""
    orders = " ".join(f'k{term}_bondorder{order}="{term}{order} * kcal/mol"' for term in (1, 2) for order in (1, 2))
    both = 'periodicity1="1" phase1="0 * degree" idivf1="2" periodicity2="2" phase2="0 * degree" idivf2="2"'
    text = (
        f'{HEAD}<ProperTorsions version="0.4"><Proper smirks="[*:1]-[#6:2]-[#6:3]-[*:4]" id="t1" {both} {orders}/>'
        f'<Proper smirks="[*:1]-[#6:2]-[#8:3]-[*:4]" id="t2" {TERM} idivf1="2"/></ProperTorsions></SMIRNOFF>'
    )
    return assignment_of(tmp_path, text, "CC", "CO")


def test_barriers_of_bond_orders_stand_beside_plain_ones(mixed_barriers):
    plain, first = (mixed_barriers.tying("ProperTorsions", name) for name in ("k", "k_bondorder1"))
    assert plain.keys == (("ProperTorsions", "t2", "k", 0),)
    assert first.keys == (("ProperTorsions", "t1", "k_bondorder1", 0), ("ProperTorsions", "t1", "k_bondorder1", 1))
    assert plain.expand([1.8]).tolist() == pytest.approx([0.0] * 18 + [0.9] * 3)
    assert first.expand([11.0, 21.0]).tolist() == pytest.approx([5.5, 10.5] * 9 + [0.0] * 3)


def test_structure_columns_can_be_tied_too_and_are_not_divided(mixed_barriers):
    tying = mixed_barriers.tying("ProperTorsions", "periodicity")
    assert tying.expand([1.0, 2.0, 3.0]).tolist() == [1.0, 2.0] * 9 + [3.0] * 3


def test_rules_of_one_id_get_keys_that_differ(tmp_path):
    ids = ("b1", "b1 (2)", "b1", "b2", "b1")
    rules = "".join(
        f'<Bond smirks="[#{element}:1]-[#1:2]" id="{rule_id}" length="1 * angstrom" k="1 * kcal/mol/angstrom**2"/>'
        for element, rule_id in zip((6, 7, 8, 9, 16), ids, strict=True)
    )
    tying = assignment_of(tmp_path, f'{HEAD}<Bonds version="0.3">{rules}</Bonds></SMIRNOFF>', "CO").tying("Bonds", "k")
    assert [rule_id for _, rule_id, _, _ in tying.keys] == ["b1", "b1 (2)", "b1 (3)", "b2", "b1 (4)"]
    assert tying.counts.tolist() == [3, 0, 1, 0, 0]


def test_sites_without_a_rule_are_fixed_at_zero(boronic_acid):
    assignment = scheme_of("openff-2.3.0").assign(boronic_acid)
    missing = assignment.sites["Bonds"].rule_idxs < 0
    assert 0 < missing.sum() < len(missing)
    tying = assignment.tying("Bonds", "length")
    assert tying.expand(np.full(tying.n_free, 1.5)).tolist() == np.where(missing, 0.0, 1.5).tolist()


def test_all_free_columns_stand_side_by_side_in_the_order_of_the_file(some_drugs):
    assignment = scheme_of("openff-2.2.1").assign(some_drugs)
    expected = [
        assignment.tying(section, name)
        for section, table in assignment.tables.items()
        for name, column in table.columns.items()
        if column.free
    ]
    joint = assignment.tying()
    assert joint.keys == tuple(key for one in expected for key in one.keys)
    assert joint.n_site == sum(one.n_site for one in expected)
    theta = np.random.default_rng(0).normal(size=joint.n_free)
    starts = np.cumsum([0, *(one.n_free for one in expected)])
    parts = [
        one.expand(theta[start : start + one.n_free]) for one, start in zip(expected, starts[:-1].tolist(), strict=True)
    ]
    assert np.array_equal(joint.expand(theta), np.concatenate(parts))
    bonds = [one for one in expected if one.keys[0][0] == "Bonds"]
    assert assignment.tying("Bonds").keys == tuple(key for one in bonds for key in one.keys)


@pytest.mark.parametrize(
    ("section", "column", "message"),
    [
        ("Bond", "k", "openff-2.3.0 has no section 'Bond' of sites; sections it has: Constraints, Bonds, Angles"),
        ("Bonds", "angle", "section Bonds has no column 'angle'; columns it has: length, k"),
        (None, "k", "column 'k' was given without its section; give both, or neither"),
    ],
)
def test_a_tying_of_what_is_not_there_is_refused(section, column, message):
    with pytest.raises(SchemeError, match=message):
        scheme_of("openff-2.3.0").assign(ffshare.from_smiles("C")).tying(section, column)


def test_no_molecules_leave_all_parameters_unseen():
    tying = scheme_of("openff-2.3.0").assign(ffshare.from_smiles()).tying()
    assert (tying.n_free, tying.n_site, len(tying.unseen()), tying.rank()) == (838, 0, 838, 0)
