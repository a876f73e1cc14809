"""Charges by NAGL, the graph neural network of OpenFF that imitates AM1-BCC.

The model is loaded once a process. Asked through openff-toolkit it would be read from disk again at every call.

Reference: openff-nagl 0.5, https://docs.openforcefield.org/projects/nagl
"""

from functools import cache
from typing import Any

import numpy as np

from ffshare.errors import MissingDependencyError, MoleculeError
from ffshare.model.coordinates import FloatArray
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import one_thread

NAGL_MODEL = "openff-gnn-am1bcc-1.0.0.pt"
"""The model that openff-2.3.0 names."""


def nagl_charges(batch: GraphBatch, molecules: IntArray, model: str = NAGL_MODEL) -> FloatArray:
    """Charges of some molecules of a batch.

    Args:
        batch: The molecules.
        molecules: Which of them, shape=(n,).
        model: File name of an installed model.

    Returns:
        Charges [e], 0 for atoms of other molecules, shape=(n_atoms,).

    Raises:
        MissingDependencyError: NAGL is not installed, or does not import.
        MoleculeError: NAGL fails on a molecule.
    """
    network, molecule_class = _loaded(model)
    # Several threads round otherwise than one, and machines differ in how many they have.
    with one_thread():
        return _charges(network, molecule_class, batch, molecules)


def _charges(network: Any, molecule_class: Any, batch: GraphBatch, molecules: IntArray) -> FloatArray:
    charges = np.zeros(batch.n_atoms)
    for idx in molecules.tolist():
        atoms = slice(*batch.atom_offsets[idx : idx + 2].tolist())
        try:
            molecule = molecule_class.from_rdkit(
                batch.explicit_molecule(idx), allow_undefined_stereo=True, hydrogens_are_explicit=True
            )
            charges[atoms] = network.compute_property(molecule, as_numpy=True)
        except Exception as error:  # the network raises what its layers raise
            reason = f"NAGL gives no charges for molecule {idx} {batch.names[idx]}".rstrip() + f": {error}"
            raise MoleculeError(reason, "choose another method, or give the charges as an array") from error
    return charges


@cache
def _loaded(model: str) -> tuple[Any, Any]:
    """The network and the class of molecules that it takes."""
    try:
        import platformdirs  # optional, as all of these; those of openff are slow to import

        # NAGL's models look into the cache folder of the user, and fail where there is none.
        platformdirs.user_cache_path().mkdir(parents=True, exist_ok=True)
        from openff.nagl import GNNModel
        from openff.nagl_models import get_model
        from openff.toolkit import Molecule
    except ImportError as error:
        raise MissingDependencyError(
            f"NAGL charges need what is not installed ({error}); install it with: pip install 'ffshare[openff,nagl]'"
        ) from error
    return GNNModel.load(get_model(model), eval_mode=True), Molecule
