"""Partial charges that come with the reference data.

They are no results of the quantum chemistry but what the electrostatics of a force field take, kept beside it: computed
once, the same for every force field, and at hand where the program that made them is not installed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import InputError
from ffshare.fit.reference.data import ReferenceMolecule
from ffshare.fit.reference.identity import canonical_smiles
from ffshare.model.charges import MOST_EXCESS
from ffshare.molecules import GraphBatch


def charge_mistake(graph: GraphBatch, charges: NDArray[np.float64] | None) -> str | None:
    """What is wrong with the partial charges of a molecule.

    Args:
        graph: Batch of the one molecule.
        charges: Of its atoms [e], shape=(n_atoms,); None is never wrong.

    Returns:
        The reason, or None.

    Example:
        >>> import ffshare
        >>> charge_mistake(ffshare.from_smiles("[Na+]"), np.array([0.9]))
        'the charges add up to 0.9000 e, the formal charges to 1 e'
    """
    if charges is None:
        return None
    if not np.isfinite(charges).all():
        return "a charge is no finite number"
    total, formal = float(charges.sum()), int(graph.charges.sum())
    if abs(total - formal) > MOST_EXCESS:
        return f"the charges add up to {total:.4f} e, the formal charges to {formal} e"
    return None


def reference_charges(molecules: Sequence[ReferenceMolecule]) -> NDArray[np.float64]:
    """The partial charges that come with some molecules, for all atoms of the batch that they make.

    Args:
        molecules: The molecules, in the order of the batch.

    Returns:
        Charges [e], shape=(n_atoms,).

    Raises:
        InputError: A molecule has none.

    Example:
        >>> sodium = ReferenceMolecule(smiles="[Na+:1]", coords=np.zeros((1, 1, 3)), energies=[0.0], charges=[1.0])
        >>> reference_charges([sodium, sodium]).tolist()
        [1.0, 1.0]
    """
    lacking = [molecule.smiles for molecule in molecules if molecule.charges is None]
    if lacking:
        others = f" and {len(lacking) - 1} others" if len(lacking) > 1 else ""
        raise InputError(
            f"the reference data give no charges for {canonical_smiles(lacking[0])}{others}; add a column 'charges' to "
            "the table, or take charges by another method: openff or nagl (both need NAGL), library, gasteiger (rough)"
        )
    found = [molecule.charges for molecule in molecules if molecule.charges is not None]
    return np.concatenate([np.zeros(0), *found])
