"""Label tables are those of a plain loop over sites, however the molecules were cut into batches."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

import ffshare
from ffshare.assign import LABEL_SCHEMA, MOLECULE_SCHEMA, molecule_table
from ffshare.assign.sites import COMPLETE_SECTIONS, Sites
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.assign.tables import UNASSIGNED_SCHEMA, label_table, unassigned_table
from ffshare.molecules import mapped_smiles
from ffshare.rules import load_force_field
from tests.assign.samples import part, scheme_of

SCHEMES = [("openff-2.3.0",), ("openff-2.0.0-rc.1",), ("openff-2.2.1", "tip5p"), ("alkethoh-smirks",)]


def plain_rows(assignment):
    """The rows of the label table by loops over molecules, sections and sites."""
    batch, rows = assignment.batch, []
    for molecule in range(batch.n_molecules):
        for section, sites in assignment.sites.items():
            table = assignment.tables[section]
            for place in np.flatnonzero(sites.molecule_idxs == molecule).tolist():
                rule = int(sites.rule_idxs[place])
                rows.append(
                    {
                        "molecule_idx": int(batch.input_idxs[molecule]),
                        "molecule": batch.names[molecule],
                        "section": section,
                        "atoms": [
                            atom - int(batch.atom_offsets[molecule])
                            for atom in sites.atom_idxs[place].tolist()
                            if atom >= 0
                        ],
                        "rule_id": table.ids[rule] if rule >= 0 else None,
                        "pattern": table.patterns[rule] if rule >= 0 else None,
                        "fallback": None,
                    }
                )
    return rows


def joined(tables, schema):
    """Tables of several batches as one; dictionaries, which differ from batch to batch, as text."""
    text = {pa.dictionary(pa.int32(), pa.string()): pa.string()}
    plain = pa.schema([(field.name, text.get(field.type, field.type)) for field in schema])
    return pa.concat_tables([table.cast(plain) for table in tables])


@pytest.mark.parametrize("names", SCHEMES)
def test_labels_are_those_of_a_plain_loop(names, some_drugs, boronic_acid):
    for batch in (some_drugs, boronic_acid, ffshare.from_smiles("O", "C", "O")):
        assignment = scheme_of(*names).assign(batch)
        table = assignment.to_table()
        assert table.schema == LABEL_SCHEMA
        table.validate(full=True)
        assert table.to_pylist() == plain_rows(assignment)


@settings(max_examples=15)
@given(data=st.data(), names=st.sampled_from(SCHEMES))
def test_how_the_input_was_cut_into_batches_does_not_show(some_drugs, boronic_acid, data, names):
    scheme = scheme_of(*names)
    for batch in (some_drugs, boronic_acid, ffshare.from_smiles("O", "CO", "O")):
        bounds = [0, *sorted(data.draw(st.lists(st.integers(0, batch.n_molecules), max_size=4))), batch.n_molecules]
        batches = [part(batch, range(start, end)) for start, end in pairwise(bounds)]
        whole, parts = scheme.assign(batch), [scheme.assign(one) for one in batches]
        found = joined([one.to_table() for one in parts], LABEL_SCHEMA)
        assert found.equals(joined([whole.to_table()], LABEL_SCHEMA))
        missing = joined([one.unassigned() for one in parts], UNASSIGNED_SCHEMA)
        assert missing.equals(whole.unassigned())
        assert pa.concat_tables([molecule_table(one) for one in batches]).equals(molecule_table(batch))


def test_rows_stand_by_molecule_then_section_in_file_order(some_drugs):
    assignment = scheme_of("openff-2.3.0").assign(some_drugs)
    sections = list(assignment.sites)
    places = [
        (row["molecule_idx"], sections.index(row["section"]))
        for row in assignment.to_table().select(["molecule_idx", "section"]).to_pylist()
    ]
    assert places == sorted(places)
    assert len(set(places)) > len(sections)


RULES = (
    '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL"><Bonds version="0.3">'
    '<Bond smirks="[*:1]~[*:2]" id="b1" {0}/><Bond smirks="[#6:1]-[#1:2]" id="b1" {0}/>'
    '<Bond smirks="[*:1]~[*:2]" id="b2" {0}/><Bond smirks="[#8:1]-[#1:2]" {0}/>'
    "</Bonds></SMIRNOFF>"
).format('length="1 * angstrom" k="1 * kcal/mol/angstrom**2"')


def test_ids_and_patterns_that_stand_twice_in_a_file_are_told_apart_by_place(tmp_path):
    path = tmp_path / "rules.offxml"
    path.write_text(RULES)
    assignment = SmirnoffScheme(load_force_field(path)).assign(ffshare.from_smiles("CO"))
    table = assignment.to_table()
    # C–O and three C–H by the third rule, which matches all, then O–H by the rule without an id.
    assert table["rule_id"].to_pylist() == ["b2"] * 4 + ["[#8:1]-[#1:2]"]
    assert table["pattern"].to_pylist() == ["[*:1]~[*:2]"] * 4 + ["[#8:1]-[#1:2]"]
    for column in ("rule_id", "pattern", "molecule"):
        texts = table[column].chunk(0).dictionary.to_pylist()
        assert len(texts) == len(set(texts))


def test_molecules_of_one_name_are_told_apart_by_their_index():
    batch = ffshare.from_smiles("C", "O", "N")
    table = label_table(batch, {"vdW": vdw_sites(batch)}, {"vdW": scheme_of("openff-2.3.0").tables["vdW"]})
    assert table["molecule"].chunk(0).dictionary.to_pylist() == [""]
    assert table["molecule_idx"].to_pylist() == [0] * 5 + [1] * 3 + [2] * 4


def vdw_sites(batch):
    return Sites(
        atom_idxs=np.arange(batch.n_atoms)[:, None],
        molecule_idxs=batch.atom_molecules,
        rule_idxs=np.full(batch.n_atoms, -1),
    )


def test_no_molecules_make_empty_tables():
    batch = ffshare.from_smiles()
    assignment = scheme_of("openff-2.3.0").assign(batch)
    for table, schema in (
        (assignment.to_table(), LABEL_SCHEMA),
        (assignment.unassigned(), UNASSIGNED_SCHEMA),
        (molecule_table(batch), MOLECULE_SCHEMA),
        (label_table(batch, {}, {}), LABEL_SCHEMA),
        (unassigned_table(batch, {}), UNASSIGNED_SCHEMA),
    ):
        assert (table.num_rows, table.schema) == (0, schema)


@pytest.mark.parametrize("name", ["openff-2.3.0", "alkethoh-smirks"])
def test_unassigned_terms_are_the_rows_without_a_rule(name, some_drugs, boronic_acid):
    symbol = Chem.GetPeriodicTable().GetElementSymbol
    for batch in (some_drugs, boronic_acid):
        assignment = scheme_of(name).assign(batch)
        place = {int(index): molecule for molecule, index in enumerate(batch.input_idxs)}
        expected = [
            {
                **{key: row[key] for key in ("molecule_idx", "molecule", "section", "atoms")},
                "elements": "-".join(
                    symbol(int(batch.elements[batch.atom_offsets[place[row["molecule_idx"]]] + atom]))
                    for atom in row["atoms"]
                ),
            }
            for row in plain_rows(assignment)
            if row["rule_id"] is None
        ]
        assert assignment.unassigned().to_pylist() == expected


def test_a_boronic_acid_lists_its_bonds_angles_torsions_and_the_boron_as_unassigned(boronic_acid):
    table = scheme_of("openff-2.3.0").assign(boronic_acid).unassigned().to_pylist()
    assert {row["section"] for row in table} == set(COMPLETE_SECTIONS)
    assert {row["molecule_idx"] for row in table} == {0, 2}
    found = [(row["section"], tuple(row["atoms"]), row["elements"]) for row in table if row["molecule_idx"] == 0]
    # Atoms: C0, B1, O2, O3, then the hydrogens of C and of the two O.
    assert ("Bonds", (0, 1), "C-B") in found
    assert ("Angles", (2, 1, 3), "O-B-O") in found
    assert ("ProperTorsions", (0, 1, 2, 7), "C-B-O-H") in found
    assert ("vdW", (1,), "B") in found
    assert len([row for row in found if row[0] == "Bonds"]) == 3
    assert len([row for row in found if row[0] == "vdW"]) == 1


def test_drugs_are_wholly_covered(drugs):
    assert scheme_of("openff-2.3.0").assign(drugs).unassigned().num_rows == 0


def test_molecules_are_listed_with_their_mapped_smiles_and_what_those_leave_open(some_drugs):
    rows = molecule_table(some_drugs).to_pylist()
    for idx, row in enumerate(rows):
        mapped = mapped_smiles(some_drugs, idx)
        assert row == {
            "molecule_idx": int(some_drugs.input_idxs[idx]),
            "molecule": some_drugs.names[idx],
            "mapped_smiles": mapped.smiles,
            "n_undefined_stereo": mapped.n_undefined_stereo,
            "frustrated": False,
            "arbitrary": False,
        }
