"""Schemes, loaded once, and molecules that MMFF94 finds easy and hard."""

import pytest

import ffshare
from ffshare.assign.mmff import MMFF_SCHEMES, MmffScheme
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch
from tests.assign.samples import part
from tests.smirks.diverse import DIVERSE

# Kekulé structures that are no mirror images, fused small rings, rings of four and five, linear atoms, values that no
# row gives, both orders of S=N, and molecules of which MMFF94 knows no type.
HARD = (
    *("Cc1cc2cccccc2c1", "Cc1ccc2cccc2cc1", "CC(C)c1ccc(C)c2ccc(C)c2c1", "c1cc2ccc3cccc4ccc(c1)c2c34"),
    *("C1C2CC12", "C12C3C4C1C5C2C3C45", "C1CCC1", "C1=CCC1", "C1CC2CC1C2", "C1CCCC1", "C1=CCC=C1", "C1CC=CC1"),
    *("CC#CC", "C=C=C", "CN=[N+]=[N-]", "N#CC=C", "O=C=O", "C[N+]#[C-]", "[C-]#N"),
    *("C=CC=C", "C=CC(=O)C=C", "c1ccc(cc1)-c1ccccn1", "c1ccc2c(c1)c1ccccc12", "C1=CC=CC=CC=C1"),
    *("C1CC1c1ccn[nH]1", "O=NN(C)C", "CS(=N)C", "CS(C)(=O)=NC", "C=S(C)(C)=O", "CP(C)C", "CC1=C(C)N=CC=N1"),
    *("[Na+].[Cl-]", "O", "C[Si](C)(C)C", "CSSC", "FC(F)(F)S(=O)(=O)[N-]C", "NC(=[NH2+])NC", "C[n+]1ccn(C)c1"),
    *("CB(O)O", "[Xe]", "[Fe]", "F[P-](F)(F)(F)(F)F", "C[N+](C)(C)C.[I-]"),
)


@pytest.fixture(scope="session", params=MMFF_SCHEMES)
def scheme(request):
    """Both schemes in turn."""
    return MmffScheme(request.param)


@pytest.fixture(scope="session")
def mmff94():
    """MMFF94."""
    return MmffScheme("mmff94")


@pytest.fixture(scope="session")
def hard():
    """Molecules that ask for more than the plain look-up."""
    return ffshare.from_smiles(*HARD)


@pytest.fixture(scope="session")
def assorted(some_drugs, hard):
    """One drug and one fragment in eight, diverse molecules, and the hard ones."""
    fragments = ffshare.read(data_directory("molecules") / "fragments.smi")
    batches = [some_drugs, part(fragments, range(0, fragments.n_molecules, 8)), hard]
    batches.append(ffshare.from_smiles(*DIVERSE.values()))
    return GraphBatch.from_molecules([molecule for batch in batches for molecule in batch.molecules])
