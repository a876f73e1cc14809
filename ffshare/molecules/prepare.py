"""One entry of a file → an RDKit molecule as SMIRNOFF wants it: charge-separated nitro groups, MDL aromaticity.

The steps are those of openff-toolkit (`Molecule.from_smiles`, `Molecule.from_file`), so that both see one molecule:
sanitize without RDKit's own aromaticity and without moving hydrogens, then perceive aromaticity by the MDL model.
Hydrogens that a SMILES implies stay implicit here: `GraphBatch` appends them to its arrays in the order in which
RDKit's `AddHs` would.
"""

from collections.abc import Callable

import numpy as np
from rdkit import Chem

from ffshare.errors import MoleculeError
from ffshare.molecules.rdkit_log import reason_of_failure

SANITIZE = Chem.SANITIZE_ALL ^ Chem.SANITIZE_ADJUSTHS ^ Chem.SANITIZE_SETAROMATICITY

# RDKit's writers overflow the stack on chains of some 15,000 atoms; its stereo perception takes minutes before that.
_MOST_ATOMS = 10_000

# openff-toolkit accepts unpaired electrons on these only: transition metals, lanthanides and actinides.
MAY_BE_RADICAL = np.zeros(256, dtype=bool)
for _first, _last in ((21, 30), (39, 48), (57, 80), (89, 112)):
    MAY_BE_RADICAL[_first : _last + 1] = True


def molecule_from_smiles(smiles: str) -> Chem.Mol:
    """The molecule of a SMILES, sanitized, with MDL aromaticity; implicit hydrogens stay implicit.

    When every atom, hydrogens included, carries a map number and these are 1 to n, the atoms are put in that order.

    Args:
        smiles: SMILES or CXSMILES.

    Returns:
        The RDKit molecule, without map numbers.

    Raises:
        MoleculeError: It does not parse, violates valence, or has no atoms.

    Example:
        >>> molecule_from_smiles("CN(=O)=O").GetAtomWithIdx(1).GetFormalCharge()
        1

    Reference:
        openff-toolkit 0.18, `RDKitToolkitWrapper.from_smiles`.
    """
    if not smiles.isascii():  # RDKit would drop such characters at the ends without a word
        strange = next(character for character in smiles if not character.isascii())
        raise MoleculeError(f"SMILES does not parse: {strange!r} is no character of a SMILES", "correct the SMILES")
    molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        reason = reason_of_failure(lambda: Chem.MolFromSmiles(smiles, sanitize=False))
        raise MoleculeError(f"SMILES does not parse: {reason}".rstrip(": "), "correct the SMILES")
    # ':' is also the aromatic bond, so this only says where a look is worth its time.
    order = _pop_map_numbers(molecule) if ":" in smiles else None
    _sanitize(molecule)
    if order is not None and not _has_implicit_hydrogens(molecule):
        molecule = Chem.RenumberAtoms(molecule, order)
    return _not_empty(molecule)


def molecule_from_molblock(text: str) -> Chem.Mol:
    """The molecule of one record of an SD file, stereochemistry from its 3-D coordinates.

    Args:
        text: The record, from the name line to ``M  END`` or ``$$$$``.

    Returns:
        The RDKit molecule, sanitized, with MDL aromaticity.

    Raises:
        MoleculeError: It does not parse, violates valence, or has no atoms.

    Reference:
        openff-toolkit 0.18, `RDKitToolkitWrapper.from_file`.
    """

    def parse() -> Chem.Mol | None:
        return Chem.MolFromMolBlock(text, sanitize=False, removeHs=False, strictParsing=True)

    molecule = parse()
    if molecule is None:
        reason = reason_of_failure(parse)
        raise MoleculeError(f"SD record does not parse: {reason}".rstrip(": "), "correct or re-export the record")
    _sanitize(molecule, Chem.AssignStereochemistryFrom3D)
    return _not_empty(molecule)


def _sanitize(molecule: Chem.Mol, assign_stereo: Callable[[Chem.Mol], None] | None = None) -> None:
    try:
        Chem.SanitizeMol(molecule, SANITIZE)
        if assign_stereo is not None:
            assign_stereo(molecule)
        Chem.SetAromaticity(molecule, Chem.AromaticityModel.AROMATICITY_MDL)
    except ValueError as error:  # RDKit's sanitization errors and their children
        raise MoleculeError(
            f"not a valid molecule: {error}".replace("\n", " ").strip(),
            "correct the valences, charges or aromatic atoms",
        ) from error


def _pop_map_numbers(molecule: Chem.Mol) -> list[int] | None:
    """Take map numbers off, since they would change stereochemistry; the order they give, if they number all atoms."""
    numbers = [atom.GetAtomMapNum() for atom in molecule.GetAtoms()]
    for idx, number in enumerate(numbers):
        if number:
            molecule.GetAtomWithIdx(idx).SetAtomMapNum(0)
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        return None
    return sorted(range(len(numbers)), key=numbers.__getitem__)


def _has_implicit_hydrogens(molecule: Chem.Mol) -> bool:
    return any(atom.GetNumExplicitHs() or atom.GetNumImplicitHs() for atom in molecule.GetAtoms())


def mend(molecule: Chem.Mol) -> Chem.Mol:
    """The molecule with dative bonds as single ones, as openff-toolkit has them; refused if nothing can label it.

    Args:
        molecule: A sanitized molecule.

    Returns:
        The molecule itself, or a changed copy.

    Raises:
        MoleculeError: It holds dummy atoms, unpaired electrons outside transition metals, or bonds of no order.
    """
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 0:
            raise MoleculeError(
                f"atom {atom.GetIdx()} is a dummy atom (*)",
                "replace attachment points by real atoms, hydrogen for instance",
            )
        if atom.GetNumRadicalElectrons() and not MAY_BE_RADICAL[atom.GetAtomicNum()]:
            raise MoleculeError(
                f"atom {atom.GetIdx()} ({atom.GetSymbol()}) has {atom.GetNumRadicalElectrons()} unpaired electrons",
                "give its hydrogens or its charge: no force field here has parameters for radicals",
            )
    mended = Chem.RWMol(molecule)
    for atom in mended.GetAtoms():  # a dative bond takes no hydrogen from its donor; a single one would
        atom.SetNumExplicitHs(atom.GetTotalNumHs())
        atom.SetNoImplicit(True)
    for bond in mended.GetBonds():
        if bond.GetBondTypeAsDouble() == 0:
            raise MoleculeError(
                f"the bond between atoms {bond.GetBeginAtomIdx()} and {bond.GetEndAtomIdx()} has no order",
                "write it as a single, double, triple or aromatic bond",
            )
        if bond.GetBondType() == Chem.BondType.AROMATIC and not bond.IsInRing():
            raise MoleculeError(
                f"the bond of atoms {bond.GetBeginAtomIdx()} and {bond.GetEndAtomIdx()} is aromatic outside a ring",
                "write it as a single or double bond",
            )
        if bond.GetBondType() == Chem.BondType.DATIVE:
            bond.SetBondType(Chem.BondType.SINGLE)
    # Rings were found without the dative bonds. Valences are not checked again: ammonia on a metal has four bonds.
    mended.UpdatePropertyCache(strict=False)
    Chem.GetSymmSSSR(mended)
    Chem.SetAromaticity(mended, Chem.AromaticityModel.AROMATICITY_MDL)
    return mended.GetMol()


def _not_empty(molecule: Chem.Mol) -> Chem.Mol:
    if molecule.GetNumAtoms() == 0:
        raise MoleculeError("no atoms", "remove the empty record")
    if molecule.GetNumAtoms() > _MOST_ATOMS // 4:  # with four hydrogens each it may be too large: count them
        n_atoms = molecule.GetNumAtoms(onlyExplicit=False)
        if n_atoms > _MOST_ATOMS:
            raise MoleculeError(
                f"{n_atoms:,} atoms, hydrogens included; at most {_MOST_ATOMS:,} are taken",
                "cut it into smaller molecules",
            )
    return molecule
