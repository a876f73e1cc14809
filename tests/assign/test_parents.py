"""Parents of rules against a plain loop over RDKit's matcher, and soft ties on rules written here."""

import numpy as np
import pytest

import ffshare
from ffshare.assign.parents import overlaps, parent_edges, parents, parents_of, soft_ties
from ffshare.assign.shapes import SHAPES
from ffshare.data_files import data_directory
from ffshare.errors import SchemeError
from ffshare.tying import laplacian
from tests.assign.oracle import every_match

RULES = """<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
<Bonds version="0.3" potential="harmonic">
<Bond smirks="[*:1]~[*:2]" id="any" length="1 * angstrom" k="100 * kilocalorie/mole/angstrom**2"/>
<Bond smirks="[#6:1]-[#6:2]" id="cc" length="1.5 * angstrom" k="300 * kilocalorie/mole/angstrom**2"/>
<Bond smirks="[#6:1]~[#1:2]" id="ch" length="1.1 * angstrom" k="400 * kilocalorie/mole/angstrom**2"/>
<Bond smirks="[#6X4:1]~[#6X4,#1:2]" id="both" length="1.2 * angstrom" k="200 * kilocalorie/mole/angstrom**2"/>
</Bonds>
<ProperTorsions version="0.3" potential="k*(1+cos(periodicity*theta-phase))" default_idivf="1">
<Proper smirks="[*:1]~[*:2]~[*:3]~[*:4]" id="t0" periodicity1="3" phase1="0 * degree" k1="1 * kilocalorie/mole"
 periodicity2="2" phase2="180 * degree" k2="2 * kilocalorie/mole"
 periodicity3="1" phase3="0 * degree" k3="3 * kilocalorie/mole"/>
<Proper smirks="[#1:1]~[*:2]~[*:3]~[*:4]" id="t1" periodicity1="1" phase1="0 * degree" k1="4 * kilocalorie/mole"
 periodicity2="2" phase2="0 * degree" k2="5 * kilocalorie/mole"
 periodicity3="3" phase3="0 * degree" k3="6 * kilocalorie/mole" idivf1="1" idivf2="1" idivf3="9"/>
</ProperTorsions>
</SMIRNOFF>
"""


@pytest.fixture(scope="module")
def molecules():
    batch = ffshare.read(data_directory("molecules") / "drugs.smi")
    return ffshare.molecules.GraphBatch.from_molecules(batch.molecules[::12], batch.names[::12])


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "few.offxml"
    path.write_text(RULES)
    return ffshare.load_scheme(path)


def plain_parents(table, batch):
    """Count in a loop, site by site, which earlier rules match too."""
    counts = np.zeros((len(table), len(table)), dtype=int)
    for rules in every_match(table, batch).values():
        for rule in rules[:-1]:
            counts[rules[-1], rule] += 1
    found = []
    for child, row in enumerate(counts.tolist()):
        best = max(((count, rule) for rule, count in enumerate(row[:child]) if count), default=(0, -1))
        found.append(best[1])
    return found


@pytest.mark.parametrize("name", ["openff-2.2.1", "alkethoh-smirks"])
def test_parents_are_those_of_a_plain_loop(name, molecules):
    assignment = ffshare.load_scheme(name).assign(molecules)
    n_found = 0
    for section in assignment.tables:
        if section in SHAPES:
            found = parents(section, assignment)
            assert found.tolist() == plain_parents(assignment.tables[section], molecules), section
            n_found += int((found >= 0).sum())
    assert n_found > 15


def test_a_parent_comes_earlier_and_its_rule_wins_something(molecules):
    scheme = ffshare.load_scheme("openff-2.2.1")
    for section in ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW"):
        assignment = scheme.assign(molecules)
        found, rules = parents(section, assignment), assignment.sites[section].rule_idxs
        children = np.flatnonzero(found >= 0)
        assert np.all(found[children] < children)
        assert set(children.tolist()) <= set(rules.tolist())


def test_overlaps_add_up_over_batches_and_hold_the_sites_of_each_rule(molecules):
    scheme = ffshare.load_scheme("openff-2.2.1")
    parts = [
        ffshare.molecules.GraphBatch.from_molecules(molecules.molecules[cut], molecules.names[cut])
        for cut in (slice(0, 5), slice(5, None))
    ]
    for section in ("Bonds", "ProperTorsions", "ImproperTorsions"):
        whole = overlaps(scheme, molecules, section)
        assert np.array_equal(whole, sum(overlaps(scheme, part, section) for part in parts))
        rules = scheme.assign(molecules).sites[section].rule_idxs
        assert np.array_equal(np.diag(whole), np.bincount(rules[rules >= 0], minlength=len(whole)))


def test_most_matches_count_and_of_ties_the_later_rule():
    assert parents_of(np.array([[1, 0, 0], [1, 1, 0], [3, 2, 3]])).tolist() == [-1, 0, 0]
    assert parents_of(np.array([[1, 0, 0], [1, 1, 0], [2, 2, 3]])).tolist() == [-1, 0, 1]
    # What later rules match does not count.
    assert parents_of(np.array([[5, 9, 9], [0, 1, 9], [0, 0, 1]])).tolist() == [-1, -1, -1]
    assert parents_of(np.zeros((0, 0), dtype=int)).tolist() == []


def test_parents_by_hand(few):
    # Ethane: "both" wins all bonds; "any" matches seven of them, C-H six, C-C one.
    ethane = few.assign(ffshare.from_smiles("CC"))
    assert parents("Bonds", ethane).tolist() == [-1, -1, -1, 0]
    # Methane has no bond that only "any" matches more of than C-H: of the tie the later counts.
    methane = few.assign(ffshare.from_smiles("C"))
    assert parents("Bonds", methane).tolist() == [-1, -1, -1, 2]


def test_terms_of_torsions_are_tied_at_equal_periodicity_phase_and_idivf_only(few):
    propane = few.assign(ffshare.from_smiles("CCC"))
    keys = propane.tying().keys
    tied = [(keys[child][1:], keys[parent][1:]) for child, parent in soft_ties(propane)]
    assert [pair for pair in tied if pair[0][1] == "k" and pair[0][0] == "t1"] == [(("t1", "k", 0), ("t0", "k", 2))]
    assert [pair for pair in tied if pair[0][0] == "both"] == [
        (("both", "length", 0), ("any", "length", 0)),
        (("both", "k", 0), ("any", "k", 0)),
    ]


def test_edges_fit_the_laplacian_and_vanish_where_children_equal_parents(molecules):
    assignment = ffshare.load_scheme("openff-2.2.1").assign(molecules)
    ties, edges = assignment.tying(), soft_ties(assignment)
    matrix = laplacian(ties.n_free, edges)
    values = np.concatenate(
        [column.values for table in assignment.tables.values() for column in table.columns.values() if column.free]
    )
    expected = sum((values[child] - values[parent]) ** 2 for child, parent in edges)
    assert values @ (matrix @ values) == pytest.approx(expected, rel=1e-9)
    assert len(np.unique(edges[:, 0])) == len(edges)
    for child, parent in edges:
        section, _, column, _ = ties.keys[child]
        assert (ties.keys[parent][0], ties.keys[parent][2]) == (section, column)


def test_sections_without_parents_given_are_not_tied(few):
    ethane = few.assign(ffshare.from_smiles("CC"))
    assert parent_edges(ethane.tables, {}).shape == (0, 2)


@pytest.mark.parametrize("name", ["gaff", "mmff94", "untied", "hashed:openff-2.2.1"])
def test_schemes_without_smirks_are_refused(name):
    with pytest.raises(SchemeError, match="are not SMIRKS"):
        parents("Bonds", ffshare.load_scheme(name).assign(ffshare.from_smiles("CCO")))


def test_a_section_without_tuples_is_refused(few):
    with pytest.raises(SchemeError, match="no parents in section 'Angles'; sections with rules: Bonds, ProperTorsions"):
        parents("Angles", few.assign(ffshare.from_smiles("CC")))
