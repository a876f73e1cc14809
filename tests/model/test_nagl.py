"""NAGL charges are those that openff-toolkit gives, in the order of the atoms, by a network that is loaded once."""

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.errors import MoleculeError
from ffshare.model import nagl
from ffshare.molecules import GraphBatch

pytest.importorskip("openff.nagl", reason="NAGL is not installed")
pytest.importorskip("openff.nagl_models", reason="NAGL's models are not installed")

pytestmark = pytest.mark.filterwarnings(
    # NAGL leaves the file of its model open.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)

SMILES = (
    *("O", "CO", "CC(=O)NC", "c1ccncc1", "CS(=O)(=O)N", "C[C@H](F)Cl", "Brc1ccoc1"),
    *("CC(=O)[O-]", "C[NH3+]", "[NH3+]CC([O-])=O", "COP(=O)([O-])OC", "C[N+](=O)[O-]"),
    "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O",
)


@pytest.fixture(scope="module")
def openff_charges():
    """Charges by openff-toolkit for a molecule with its atoms as they stand [e]."""
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    wrapper = pytest.importorskip("openff.toolkit.utils.nagl_wrapper").NAGLToolkitWrapper()

    def charges(mol):
        molecule = toolkit.Molecule.from_rdkit(mol, allow_undefined_stereo=True, hydrogens_are_explicit=True)
        molecule.assign_partial_charges(nagl.NAGL_MODEL, toolkit_registry=wrapper)
        return molecule.partial_charges.m_as("elementary_charge")

    return charges


def of(*mols):
    batch = GraphBatch.from_molecules(mols)
    found = nagl.nagl_charges(batch, np.arange(batch.n_molecules))
    return np.split(found, batch.atom_offsets[1:-1])


@pytest.mark.parametrize("smiles", SMILES)
def test_charges_are_those_of_openff_toolkit_in_any_order_of_the_atoms(openff_charges, smiles):
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    order = np.random.default_rng(len(smiles)).permutation(mol.GetNumAtoms()).tolist()
    for one in (mol, Chem.RenumberAtoms(mol, order)):
        [found] = of(one)
        np.testing.assert_allclose(found, openff_charges(one), rtol=0, atol=1e-6)
        assert found.sum() == pytest.approx(Chem.GetFormalCharge(mol), abs=1e-5)


@pytest.mark.parametrize("smiles", SMILES)
def test_charges_go_along_with_the_atoms(smiles):
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    order = np.random.default_rng(1).permutation(mol.GetNumAtoms())
    first, second = of(mol, Chem.RenumberAtoms(mol, order.tolist()))
    np.testing.assert_allclose(second, first[order], rtol=0, atol=2e-6)
    assert np.ptp(first) > 0.1


def test_charges_are_close_to_am1_bcc():
    batch = ffshare.from_smiles("CO")
    found = nagl.nagl_charges(batch, np.array([0]))
    # AM1-BCC of methanol: oxygen −0.60, its hydrogen 0.40.
    assert found[1] == pytest.approx(-0.60, abs=0.03)
    assert found[5] == pytest.approx(0.40, abs=0.03)


def test_only_the_molecules_asked_for_get_charges():
    batch = ffshare.from_smiles("CO", "CC(=O)[O-]", "C[NH3+]")
    found = nagl.nagl_charges(batch, np.array([0, 2]))
    assert not found[slice(*batch.atom_offsets[1:3])].any()
    assert found[batch.atom_offsets[2] :].sum() == pytest.approx(1.0, abs=1e-4)


def test_the_network_is_read_from_disk_once(monkeypatch):
    from openff.nagl import GNNModel

    loaded = []
    load = GNNModel.load

    def counted(*words, **more):
        loaded.append(words)
        return load(*words, **more)

    monkeypatch.setattr(GNNModel, "load", counted)
    nagl._loaded.cache_clear()
    batch = ffshare.from_smiles("CO", "CC", "O")
    for _ in range(3):
        nagl.nagl_charges(batch, np.arange(3))
    assert len(loaded) == 1


def test_a_molecule_that_the_network_cannot_take_is_named():
    batch = GraphBatch.from_molecules([Chem.MolFromSmiles("C[As](C)C")], names=["arsine"])
    with pytest.raises(MoleculeError, match="NAGL gives no charges for molecule 0 arsine: "):
        nagl.nagl_charges(batch, np.array([0]))
