"""One force field in two languages: parm@Frosst for alkanes, ethers and alcohols by atom types and by SMIRKS."""

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.data_files import data_directory
from ffshare.model import Model, charges_by_name
from ffshare.molecules import GraphBatch, molecule_from_molblock
from tests.model.samples import batch_of, conformers, scheme_of

SECTIONS = ("Bonds", "Angles", "ProperTorsions", "vdW", "Electrostatics")
# A ring carbon of an oxirane that bears an oxygen, too: H–C(O)(O)–C–O, where the last oxygen is one of the two. The
# SMIRKS for it asks for three different ones.
ALKOXY_OXIRANE = Chem.MolFromSmarts("[#1]-[CX4]1(-[OX2])-[CX4]-[OX2]1")


def both(batch, given):
    """The same conformers by types and by SMIRKS."""
    found = []
    for name in ("alkethoh-types", "alkethoh-smirks"):
        assignment = scheme_of(name).assign(batch)
        model = Model.of(assignment, charges_by_name(assignment, "gasteiger"))
        found.append(model.evaluate(model.frames(given)))
    return found


def check_equal(batch, given):
    types, smirks = both(batch, given)
    for section in SECTIONS:
        first, second = types.energies.by_section[section], smirks.energies.by_section[section]
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-9, err_msg=section)
    np.testing.assert_allclose(types.energies.total, smirks.energies.total, rtol=0, atol=1e-9)
    np.testing.assert_allclose(types.forces, smirks.forces, rtol=0, atol=1e-9)


def shipped_alkethoh(is_odd=False):
    batch = ffshare.read(data_directory("molecules") / "alkethoh.smi")
    named = zip(batch.molecules, batch.names, strict=True)
    return [
        (molecule, name) for molecule, name in named if Chem.AddHs(molecule).HasSubstructMatch(ALKOXY_OXIRANE) == is_odd
    ]


def test_types_and_smirks_agree_on_the_molecules_that_they_were_made_for():
    utils = pytest.importorskip("openff.toolkit.utils", reason="openff-toolkit is not installed")
    path = Path(utils.get_data_file_path("molecules/AlkEthOH_test_filt1_tripos.mol2"))
    blocks = path.read_text().split("@<TRIPOS>MOLECULE")[1:]
    molecules = [Chem.MolFromMol2Block(f"@<TRIPOS>MOLECULE{block}", removeHs=False) for block in blocks]
    batch = GraphBatch.from_molecules([molecule_from_molblock(Chem.MolToMolBlock(one)) for one in molecules])
    assert batch.n_molecules == 42
    check_equal(batch, [one.GetConformer().GetPositions() for one in molecules])


def test_types_and_smirks_agree_on_shipped_molecules():
    batch = batch_of(shipped_alkethoh()[::9])
    check_equal(batch, conformers(batch))


@pytest.mark.full
def test_types_and_smirks_agree_on_all_shipped_molecules():
    batch = batch_of(shipped_alkethoh())
    check_equal(batch, conformers(batch))


def test_types_and_smirks_differ_in_the_torsions_of_alkoxy_oxiranes_alone():
    batch = batch_of(shipped_alkethoh(is_odd=True))
    types, smirks = both(batch, conformers(batch))
    differs = {
        section: np.abs(types.energies.by_section[section] - smirks.energies.by_section[section]) > 1e-9
        for section in SECTIONS
    }
    assert differs["ProperTorsions"].all()
    assert not any(differs[section].any() for section in SECTIONS if section != "ProperTorsions")
