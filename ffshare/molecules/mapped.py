"""A molecule as mapped SMILES, so that labels can be traced to atoms without the input file."""

from rdkit import Chem

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
    given = batch.molecules[molecule_idx]
    n_undefined = sum(
        found.specified == Chem.StereoSpecified.Unspecified for found in Chem.FindPotentialStereo(given, cleanIt=False)
    )
    molecule = Chem.AddHs(given)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    n_atoms = molecule.GetNumAtoms()
    for atom, number in zip(map(molecule.GetAtomWithIdx, range(n_atoms)), range(1, n_atoms + 1), strict=True):
        atom.SetAtomMapNum(number)
    return MappedSmiles(smiles=Chem.MolToSmiles(molecule, canonical=False), n_undefined_stereo=n_undefined)
