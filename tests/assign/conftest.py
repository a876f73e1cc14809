"""Real molecules, read once for all tests of `assign`."""

import pytest

import ffshare
from ffshare.data_files import data_directory
from tests.assign.samples import part


@pytest.fixture(scope="session")
def drugs():
    """The drugs that ship with ffshare."""
    return ffshare.read(data_directory("molecules") / "drugs.smi")


@pytest.fixture(scope="session")
def some_drugs(drugs):
    """One drug in eight."""
    return part(drugs, range(0, drugs.n_molecules, 8))


@pytest.fixture(scope="session")
def boronic_acid():
    """Molecules with atoms that the Sage force fields have no parameters for, and one without."""
    return ffshare.from_smiles("CB(O)O", "CCO", "C[Si](C)(C)C")
