"""The columns give the numbers of parameters that force fields define."""

import pytest

from ffshare.rules import load_force_field

VALENCE_AND_VDW = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")


def n_free(name, sections):
    """Numbers that a fit could move: 2 a bond, 2 an angle, 1 a torsion term, 2 a vdW type, 1 a charge."""
    tables = load_force_field(name).tables
    columns = [column for section in sections if section in tables for column in tables[section].columns.values()]
    return sum(column.values.size for column in columns if column.free)


@pytest.mark.parametrize(
    ("name", "n_valence_and_vdw", "n_with_library_charges", "n_constraints"),
    [
        ("openff-1.0.0", 581, 581, 0),
        ("openff-2.0.0", 612, 623, 2),
        ("openff-2.2.1", 653, 665, 2),
        ("openff-2.3.0", 824, 836, 2),
        ("alkethoh-smirks", 71, 71, 0),
    ],
)
def test_released_force_fields_define_known_numbers(name, n_valence_and_vdw, n_with_library_charges, n_constraints):
    assert n_free(name, VALENCE_AND_VDW) == n_valence_and_vdw
    assert n_free(name, (*VALENCE_AND_VDW, "LibraryCharges")) == n_with_library_charges
    assert n_free(name, ("Constraints",)) == n_constraints
