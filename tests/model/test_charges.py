"""Charges by name."""

import sys

import numpy as np
import pytest

import ffshare
from ffshare.errors import MissingDependencyError, MoleculeError, SchemeError
from ffshare.model import charges, charges_by_name, nagl
from tests.model.samples import VARIED, scheme_of


def assigned(*smiles, name="openff-2.2.1"):
    return scheme_of(name).assign(ffshare.from_smiles(*smiles))


def test_library_charges_are_those_of_the_force_field():
    found = charges_by_name(assigned("O", "[Na+]", "[Cl-]"), "library")
    assert found.tolist() == [-0.834, 0.417, 0.417, 1.0, -1.0]


def test_library_charges_must_cover_a_molecule():
    with pytest.raises(
        MoleculeError, match=r"library charges of openff-2\.2\.1 do not cover molecule 1; take the method"
    ):
        charges_by_name(assigned("O", "CO"), "library")


def test_of_library_charges_on_one_atom_the_last_rule_counts(tmp_path):
    path = tmp_path / "charges.offxml"
    rules = {"[#8:1]": [-0.5], "[#1:1]": [0.1], "[#8:1]-[#1:2]": [-0.8, 0.4]}
    lines = [
        f'<LibraryCharge smirks="{smirks}" '
        + " ".join(f'charge{place}="{value} * elementary_charge"' for place, value in enumerate(values, 1))
        + "/>"
        for smirks, values in rules.items()
    ]
    path.write_text(
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL"><LibraryCharges version="0.3">'
        f"{''.join(lines)}</LibraryCharges></SMIRNOFF>"
    )
    found = charges_by_name(ffshare.load_scheme(path).assign(ffshare.from_smiles("O")), "library")
    assert found.tolist() == [-0.8, 0.4, 0.4]


@pytest.mark.parametrize("smiles", VARIED)
def test_gasteiger_charges_add_up_to_the_formal_charge(smiles):
    assignment = assigned(smiles)
    found = charges_by_name(assignment, "gasteiger")
    assert found.sum() == pytest.approx(assignment.batch.charges.sum(), abs=1e-6)


def test_gasteiger_charges_do_not_depend_on_the_batch():
    together = charges_by_name(assigned("CCO", "CC=O"), "gasteiger")
    np.testing.assert_array_equal(
        together, np.concatenate([charges_by_name(assigned(s), "gasteiger") for s in ("CCO", "CC=O")])
    )


def test_an_element_without_gasteiger_parameters_is_named():
    with pytest.raises(MoleculeError, match="no Gasteiger parameters for an atom of molecule 0"):
        charges_by_name(assigned("C[As](C)C"), "gasteiger")


def test_openff_charges_are_library_charges_where_they_cover_and_nagl_elsewhere(monkeypatch):
    asked = []

    def network(batch, molecules):
        asked.append(molecules.tolist())
        values = np.zeros(batch.n_atoms)
        values[batch.atom_offsets[1]] = 1e-3
        return values

    monkeypatch.setattr(charges, "nagl_charges", network)
    found = charges_by_name(assigned("O", "CO"), "openff")
    assert asked == [[1]]
    assert found.tolist() == [-0.834, 0.417, 0.417, 1e-3, 0, 0, 0, 0, 0]
    assert charges_by_name(assigned("O"), "openff").tolist() == [-0.834, 0.417, 0.417]
    assert asked == [[1]]


def test_charges_that_miss_the_formal_charge_are_refused(monkeypatch):
    monkeypatch.setattr(charges, "nagl_charges", lambda batch, molecules: np.full(batch.n_atoms, 0.1))
    with pytest.raises(MoleculeError, match=r"nagl charges of molecule 0 add up to 0\.3000 e, not to 0 e"):
        charges_by_name(assigned("O"), "nagl")


def test_an_unknown_method_lists_those_there_are():
    with pytest.raises(SchemeError, match="no method 'am1bcc' for charges; methods are library, nagl, openff"):
        charges_by_name(assigned("O"), "am1bcc")


def test_without_nagl_the_message_names_the_extra(monkeypatch):
    nagl._loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "openff.nagl", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ffshare\[openff,nagl\]'"):
        charges_by_name(assigned("CO"), "nagl")
