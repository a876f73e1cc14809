"""Records of reference data, and the one level of theory."""

from dataclasses import replace

import numpy as np
import pytest

from ffshare.errors import InputError
from ffshare.fit import ReferenceData, ReferenceMolecule
from ffshare.fit.reference.data import only_level
from tests.fit.reference.toys import spring_molecule


def test_shapes_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"coords and energies have shapes \(2, 3, 3\) and \(3,\)"):
        ReferenceMolecule(smiles="", coords=np.zeros((2, 3, 3)), energies=np.zeros(3))
    with pytest.raises(ValueError, match=r"forces \(1, 3, 3\), but coords \(2, 3, 3\)"):
        ReferenceMolecule(smiles="", coords=np.zeros((2, 3, 3)), energies=np.zeros(2), forces=np.zeros((1, 3, 3)))


def test_arrays_of_a_record_cannot_be_written_to():
    molecule = spring_molecule("O")
    for array in (molecule.coords, molecule.energies, molecule.forces):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_part_holds_the_conformers_asked_for():
    molecule = spring_molecule("CO", n_conformers=5)
    part = molecule.part(np.array([3, 1]))
    assert (part.n_conformers, part.n_atoms) == (2, 6)
    np.testing.assert_array_equal(part.forces, molecule.forces[[3, 1]])
    np.testing.assert_array_equal(part.energies, molecule.energies[[3, 1]])


def test_the_batch_has_its_atoms_in_the_order_of_the_coordinates():
    # Map numbers against the order in the text: the oxygen is the second atom.
    molecule = replace(spring_molecule("O"), smiles="[O:2]([H:1])[H:3]")
    data = ReferenceData(molecules=(molecule,), level="springs")
    assert data.batch().elements.tolist() == [1, 8, 1]


def test_levels_of_theory_are_never_mixed():
    with pytest.raises(InputError, match=r"2 levels of theory: GFN2-xTB \(2 molecules\), not stated \(1 molecules\)"):
        only_level(["GFN2-xTB", "", "gfn2-xtb "])
    molecules = (spring_molecule("O", level="A"), spring_molecule("N", level="B"))
    with pytest.raises(InputError, match=r"2 levels of theory: A \(1 molecules\), B \(1 molecules\); a fit takes one"):
        ReferenceData(molecules=molecules, level="A")
    with pytest.raises(InputError, match="said to be 'B' hold molecules of level 'A'"):
        ReferenceData(molecules=molecules[:1], level="B")


def test_the_data_say_in_short_what_they_are():
    molecules = (spring_molecule("O", n_conformers=3), replace(spring_molecule("N", n_conformers=2), forces=None))
    data = ReferenceData(molecules=molecules, level="springs")
    assert repr(data) == "ReferenceData(2 molecules (1 with forces), 5 conformers, springs)"
    assert (data.n_molecules, data.n_conformers, data.has_forces) == (2, 5, False)
