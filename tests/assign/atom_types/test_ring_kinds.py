"""Ring kinds spelled out for the rings that everybody knows."""

import numpy as np
import pytest

from ffshare.assign.atom_types.ring_kinds import ring_kinds
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.molecules import from_smiles

KINDS = {
    1: ["C1=CC=CC=C1", "C1=CC=NC=C1", "C1=CN=CN=C1", "C[N+]1=CC=CC=C1", "[O-][N+]1=CC=CC=C1", "C1=CC=PC=C1"],
    2: [
        *("C1=CC=CN1", "C1=CC=CO1", "C1=CC=CS1", "C1=CNC=N1", "C1=NN=NN1", "C1=CC=CP1"),
        *("C1=CC=CC=CC=C1", "C1=CC=CC=CN1", "C1=CC=[O+]C=C1", "C1=C[N-]C=C1", "C1=CNC=CN1"),
    ],
    3: ["O=C1C=CNC=C1", "O=C1C=CC(=O)C=C1", "O=C1NC=CC(=O)N1", "S=C1NC=CN1", "C=C1C=CC=C1", "O=C1C=CC=CC=C1"],
    4: ["C1COCCN1", "C1=CCC=C1", "O=S1(=O)C=CC=C1", "C1C=CNC=C1", "C1CCCCC1=O", "C1CO1", "C1=CC=CN(C)S1(=O)=O"],
    5: ["C1CCCCC1", "C1CC1", "C1CCC1", "C1CCCCCCCCC1"],
}


def kinds_of(smiles):
    batch = from_smiles(smiles)
    rings = perceive_rings(batch)
    # Aromatic bonds count as double ones here: each atom of such a ring has one.
    return sorted(ring_kinds(batch, rings, batch.orders > 2).tolist())


@pytest.mark.parametrize(("kind", "smiles"), [(kind, smiles) for kind, many in KINDS.items() for smiles in many])
def test_single_rings_have_the_kind_written_here(kind, smiles):
    assert kinds_of(smiles) == [kind]


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("c1ccc2[nH]ccc2c1", [1, 2]),  # indole
        ("C1=CC=CC2=CC=CC2=C1", [2, 2]),  # azulene
        ("Cn1cnc2c1c(=O)n(C)c(=O)n2C", [2, 3]),  # caffeine
        ("C1CC2CCC1C2", [5, 5, 5]),
        ("c1ccc2c(c1)OCO2", [1, 4]),
    ],
)
def test_each_ring_of_a_system_has_its_own_kind(smiles, expected):
    assert kinds_of(smiles) == expected


def test_a_delocalised_bond_to_oxygen_does_not_make_a_ring_ar3():
    batch = from_smiles("O=C1C=CNC=C1")
    rings = perceive_rings(batch)
    assert ring_kinds(batch, rings, batch.orders == 4).tolist() == [3]
    assert ring_kinds(batch, rings, (batch.orders == 4) & batch.in_ring).tolist() == [2]


def test_no_rings_have_no_kinds():
    batch = from_smiles("CCO")
    assert ring_kinds(batch, perceive_rings(batch), np.zeros(len(batch.targets), dtype=bool)).tolist() == []
