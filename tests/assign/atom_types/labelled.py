"""Molecules as labelled graphs: what may not change when atoms are renumbered, compared by Weisfeiler-Lehman hashes."""

import numpy as np
import pytest
from rdkit import Chem

from ffshare.assign.atom_types.annotate import annotate

nx = pytest.importorskip("networkx", reason="networkx is not installed")

# Conjugated rings whose Kekulé structures are told apart by bond types; those of each pair are one molecule.
KEKULE_PAIRS = {
    "methylpentalene": ("CC1=CC=C2C=CC=C12", "CC1=C2C=CC=C2C=C1"),
    "dimethylcyclooctatetraene": ("CC1=CC=CC=CC=C1C", "CC1=C(C)C=CC=CC=C1"),
    "methylheptalene": ("CC1=CC=CC2=CC=CC=CC2=C1", "CC1=CC2=CC=CC=CC2=CC=C1"),
    "methylazulene": ("Cc1cc2cccccc2c1", "CC1=CC2=CC=CC=CC2=C1"),
    "porphine": (
        "C1=CC2=CC3=CC=C(N3)C=C3C=CC(=N3)C=C3C=CC(N3)=CC1=N2",
        "c1cc2cc3ccc(cc4ccc(cc5ccc(cc1n2)[nH]5)n4)[nH]3",
    ),
}

# Two ways to write one molecule, with charges in different places.
RESONANCE_PAIRS = {
    "sulfoxide": ("C[S+]([O-])C", "CS(=O)C"),
    "sulfone": ("C[S+2]([O-])([O-])C", "CS(=O)(=O)C"),
    "phosphine oxide": ("C[P+](C)(C)[O-]", "CP(C)(C)=O"),
    "phosphorus ylide": ("C[P+](C)(C)[CH2-]", "CP(C)(C)=C"),
    "sulfoximine": ("C[S+](C)(=O)[N-]C", "CS(C)(=O)=NC"),
    "2-pyridone": ("C[n+]1ccccc1[O-]", "CN1C=CC=CC1=O"),
    "4-pyridone": ("C[n+]1ccc([O-])cc1", "CN1C=CC(=O)C=C1"),
    "2-iminopyridine": ("C[n+]1ccccc1[N-]C", "CN1C=CC=CC1=NC"),
    "vinylogous amide": ("CN(C)C=CC=O", "C[N+](C)=CC=C[O-]"),
    "amidine": ("C[N+](C)=C[N-]C", "CN(C)C=NC"),
    "amide anion": ("CC(=O)[N-]C", "CC([O-])=NC"),
    "sulfonamide anion": ("CS(=O)(=O)[N-]C", "CS(=O)([O-])=NC"),
    "enolate": ("CC(=O)[CH2-]", "CC([O-])=C"),
    "nitronate": ("C[CH-][N+](=O)[O-]", "CC=[N+]([O-])[O-]"),
    "azide": ("CN=[N+]=[N-]", "C[N-][N+]#N"),
    "acyl azide": ("CC(=O)N=[N+]=[N-]", "CC([O-])=N[N+]#N"),
    "diazoketone": ("CC(=O)C=[N+]=[N-]", "CC([O-])=C[N+]#N"),
    "thiocyanate ion": ("[N-]=C=S", "N#C[S-]"),
    "malononitrile anion": ("N#C[CH-]C#N", "[N-]=C=CC#N"),
}


def renumbered(molecule, rng):
    """A molecule with explicit hydrogens, its atoms shuffled."""
    explicit = Chem.AddHs(molecule)
    return Chem.RenumberAtoms(explicit, rng.permutation(explicit.GetNumAtoms()).tolist())


def labels_of(batch):
    """For each molecule a hash of its graph with everything that is perceived of atoms and bonds.

    Single and double bonds are told apart only where an end is in no AR1 ring.
    """
    found = annotate(batch)
    counts = np.stack([found.annotations.atoms[name] for name in sorted(found.annotations.atoms)], axis=1)
    in_ar1 = found.annotations.atoms["AR1"] > 0
    bonds = batch.bond_edges
    ends = batch.bonds
    kinds = found.bond_types[bonds]
    kinds = np.where((kinds >= 7) & (kinds <= 8) & in_ar1[ends].all(axis=1), 7, kinds)
    graphs = [nx.Graph() for _ in range(batch.n_molecules)]
    for atom, molecule in enumerate(batch.atom_molecules.tolist()):
        graphs[molecule].add_node(atom, label=str((int(batch.elements[atom]), *counts[atom].tolist())))
    for (first, second), kind in zip(ends.tolist(), kinds.tolist(), strict=True):
        graphs[int(batch.atom_molecules[first])].add_edge(first, second, label=str(kind))
    return [
        nx.weisfeiler_lehman_graph_hash(graph, node_attr="label", edge_attr="label", iterations=8) for graph in graphs
    ]
