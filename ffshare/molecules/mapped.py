"""A molecule as mapped SMILES, so that labels can be traced to atoms without the input file.

Undefined stereochemistry is what openff-toolkit finds in a molecule with explicit hydrogens: centres and double bonds
that RDKit's legacy perception holds to be possible and that have no configuration.
"""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from ffshare.molecules.graph import GraphBatch
from ffshare.records import doc, record


@record
class MappedSmiles:
    """A mapped SMILES and what it leaves open."""

    smiles: str = doc("explicit hydrogens, atom i of the molecule carries map number i + 1")
    n_undefined_stereo: int = doc("stereocentres and double bonds whose configuration the input does not give")


def mapped_smiles(batch: GraphBatch, molecule_idx: int) -> MappedSmiles:
    """One molecule of a batch as mapped SMILES.

    Args:
        batch: The molecules.
        molecule_idx: Index into the molecules of the batch.

    Returns:
        The SMILES, in the order of the atoms as far as a SMILES can be.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> mapped_smiles(from_smiles("O"), 0).smiles
        '[O:1]([H:2])[H:3]'
    """
    molecule = Chem.AddHs(batch.molecules[molecule_idx])
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    # A second look, as openff-toolkit takes it: the first takes the nitrogen of a fused aziridine for a centre, too.
    Chem.AssignStereochemistry(molecule, force=True, flagPossibleStereoCenters=True)
    n_undefined = rdMolDescriptors.CalcNumUnspecifiedAtomStereoCenters(molecule)
    Chem.FindPotentialStereoBonds(molecule)
    for ends in _double_bonds_between_branches(batch, molecule_idx):
        n_undefined += molecule.GetBondBetweenAtoms(*ends).GetStereo() == Chem.BondStereo.STEREOANY
    n_atoms = molecule.GetNumAtoms()
    for atom, number in zip(map(molecule.GetAtomWithIdx, range(n_atoms)), range(1, n_atoms + 1), strict=True):
        atom.SetAtomMapNum(number)
    return MappedSmiles(smiles=Chem.MolToSmiles(molecule, canonical=False), n_undefined_stereo=n_undefined)


def _double_bonds_between_branches(batch: GraphBatch, molecule_idx: int) -> list[list[int]]:
    """Atoms of the double bonds that might have a configuration, so that few bonds are looked at."""
    first, last = batch.row_offsets[batch.atom_offsets[molecule_idx : molecule_idx + 2]].tolist()
    edges = np.arange(first, last)
    sources, targets = batch.sources[edges], batch.targets[edges]
    branched = (batch.degrees[sources] > 1) & (batch.degrees[targets] > 1)
    chosen = (batch.orders[edges] == 4) & branched & (sources < targets)
    ends: list[list[int]] = batch.local_idxs(np.stack([sources[chosen], targets[chosen]], axis=1)).tolist()
    return ends
