"""Energies of GAFF2 are those of AmberTools' sander with the topology that antechamber, parmchk2 and tleap make."""

import numpy as np
import pytest

import ffshare
from ffshare.model import Model, charges_by_name
from ffshare.model.potentials import COULOMB
from tests.model import amber
from tests.model.samples import conformers, scheme_of

pytestmark = pytest.mark.skipif(
    amber.programs() is None,
    reason="AmberTools is not installed: its programs are neither on the path nor in $AMBERHOME",
)

# Molecules for which AmberTools and the schemes find the same terms. None is linear: sander keeps the cosine of an
# angle within 0.999, and so takes no angle beyond 177.4°.
SMILES = {
    "acetaldehyde": "CC=O",
    "cyclopropane": "C1CC1",
    "cis-2-butene": "C/C=C\\C",
    "dimethyl disulfide": "CSSC",
    "acetone oxime": "CC(C)=NO",
    "methanesulfonate": "CS(=O)(=O)[O-]",
    "allyl azide": "C=CCN=[N+]=[N-]",
    "pyrimidine": "c1cncnc1",
    "chlorobenzene": "Clc1ccccc1",
    "benzaldehyde": "O=Cc1ccccc1",
    "trimethyl phosphate": "COP(=O)(OC)OC",
    "N,N-dimethylaniline": "CN(C)c1ccccc1",
    "naphthalene": "c1ccc2ccccc2c1",
}
# sander prints four digits of a sum over all terms, and its files hold phases of seven digits, with π as 3.141594.
TOLERANCE = 3e-4


@pytest.mark.parametrize("force_field", ["gaff", "gaff2"])
@pytest.mark.parametrize("name", SMILES)
def test_energies_are_those_of_sander(tmp_path, name, force_field):
    assignment = scheme_of(f"{force_field}-antechamber").assign(ffshare.from_smiles(SMILES[name]))
    batch = assignment.batch
    charges = charges_by_name(assignment, "gasteiger").round(amber.CHARGE_DIGITS)
    (given,) = conformers(batch, n_conformers=2)
    given = given.round(amber.COORDINATE_DIGITS)
    amber.topology(batch, 0, charges, force_field, tmp_path)
    model = Model.of(assignment, charges)
    ours = model.energies(model.frames([given])).by_section
    for conformer, positions in enumerate(given):
        theirs = amber.energies(positions, tmp_path)
        scale = COULOMB / amber.ROOT_OF_COULOMB**2
        expected = {
            "Bonds": theirs["Bonds"],
            "Angles": theirs["Angles"],
            "Torsions": theirs["Torsions"],
            "vdW": theirs["vdW"] + theirs["1-4 vdW"],
            "Electrostatics": (theirs["Electrostatics"] + theirs["1-4 Electrostatics"]) * scale,
        }
        found = {section: energies[conformer] for section, energies in ours.items()}
        found["Torsions"] = found.pop("ProperTorsions") + found.pop("ImproperTorsions")
        for section, energy in expected.items():
            np.testing.assert_allclose(found[section], energy, rtol=1e-6, atol=TOLERANCE, err_msg=f"{name} {section}")
