"""Atom types by AmberTools' antechamber: run live where it is installed, else as they were frozen.

antechamber types a molecule from the atoms and bonds of an SD file in their order; it never looks at the geometry when
no charges are asked for, so the files hold zeros. The frozen files are made by ``scripts/freeze_antechamber.py``.
"""

import json
import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rdkit import Chem

import ffshare
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch, molecule_from_molblock
from ffshare.records import doc, record
from tests.exactness.molecule_sets import SETS, data_beside_the_project

FROZEN = Path(__file__).parent / "frozen"
FORCE_FIELDS = ("gaff", "gaff2")
SECONDS = 60.0


@record
class TypedMolecule:
    """A molecule and the types that antechamber gives its atoms."""

    name: str = doc("its name")
    molecule: Chem.Mol = doc("as ffshare reads it, all hydrogens explicit")
    types: Mapping[str, tuple[str, ...]] = doc("types of its atoms by force field; none where antechamber failed")


def program() -> Path | None:
    """antechamber, on the path or in $AMBERHOME/bin; None where it is not installed."""
    found = shutil.which("antechamber")
    home = os.environ.get("AMBERHOME")
    if found is None and home and (Path(home) / "bin" / "antechamber").is_file():
        found = str(Path(home) / "bin" / "antechamber")
    return Path(found) if found else None


def mol_block(molecule: Chem.Mol) -> str:
    """The molecule as antechamber reads it: its atoms and bonds in their order, in RDKit's Kekulé structure."""
    plain = Chem.Mol(molecule)
    plain.RemoveAllConformers()
    # No wedges, since there is no geometry to draw them from.
    Chem.RemoveStereochemistry(plain)
    return Chem.MolToMolBlock(plain, kekulize=True)


def live_types(block: str, force_field: str, antechamber: Path) -> tuple[str, ...]:
    """Types of the atoms of a mol block, in its order; () where antechamber fails.

    Args:
        block: The molecule.
        force_field: ``gaff`` or ``gaff2``.
        antechamber: The program.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.sdf").write_text(f"{block}$$$$\n")
        arguments = f"-i m.sdf -fi sdf -o m.ac -fo ac -at {force_field} -pf y -dr no".split()
        try:
            subprocess.run([antechamber, *arguments], cwd=folder, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return ()
        written = Path(folder) / "m.ac"
        lines = written.read_text().splitlines() if written.is_file() else []
    return tuple(line.split()[-1] for line in lines if line.startswith("ATOM"))


def typed_live(batch: GraphBatch, antechamber: Path) -> Iterator[TypedMolecule]:
    """The molecules of a batch typed by antechamber, two at a time."""
    molecules = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    with ThreadPoolExecutor(2) as pool:
        found = {
            force_field: pool.map(
                partial(live_types, force_field=force_field, antechamber=antechamber), map(mol_block, molecules)
            )
            for force_field in FORCE_FIELDS
        }
        for name, molecule, *types in zip(batch.names, molecules, *found.values(), strict=True):
            named = {force_field: one for force_field, one in zip(FORCE_FIELDS, types, strict=True) if one}
            yield TypedMolecule(name=name, molecule=molecule, types=named)


def frozen_path(name: str) -> Path:
    """The frozen types of a set."""
    return FROZEN / f"antechamber-{name}.json"


def shipped_batch() -> GraphBatch:
    """The drugs and fragments that ship with ffshare."""
    folder = data_directory("molecules")
    parts = [ffshare.read(folder / name) for name in ("drugs.smi", "fragments.smi")]
    return GraphBatch.from_molecules(
        [molecule for part in parts for molecule in part.molecules], [name for part in parts for name in part.names]
    )


def freesolv_batch() -> GraphBatch:
    """The molecules of FreeSolv that openff-toolkit installs."""
    with tempfile.TemporaryDirectory() as folder:
        return ffshare.read(SETS["freesolv"](Path(folder)))


# Sets whose types can be frozen, by name.
BATCHES: Mapping[str, Callable[[], GraphBatch]] = {"shipped": shipped_batch, "freesolv": freesolv_batch}


def typed_frozen(name: str, batch: GraphBatch) -> list[TypedMolecule]:
    """The molecules of a set with their frozen types."""
    frozen = json.loads(frozen_path(name).read_text())["types"]
    return [
        TypedMolecule(
            name=batch.names[idx],
            molecule=batch.explicit_molecule(idx),
            types={force_field: tuple(text.split()) for force_field, text in frozen.get(batch.names[idx], {}).items()},
        )
        for idx in range(batch.n_molecules)
    ]


def typed_drugs() -> list[TypedMolecule] | None:
    """The drugs that were typed beside the project; None where these data are absent.

    Their types follow the order of atoms of the mapped SMILES and the order of bonds in which RDKit reads these.
    """
    path = data_beside_the_project() / "gaff" / "minidrugbank_antechamber_types.jsonl.xz"
    if not path.is_file():
        return None
    with lzma.open(path, "rt") as lines:
        return [_typed_drug(json.loads(line)) for line in lines]


def _typed_drug(entry: Mapping[str, str]) -> TypedMolecule:
    settings = Chem.SmilesParserParams()
    settings.removeHs = False
    read = Chem.MolFromSmiles(entry["mapped_smiles"], settings)
    order = sorted(range(read.GetNumAtoms()), key=lambda idx: read.GetAtomWithIdx(idx).GetAtomMapNum())
    for atom in read.GetAtoms():
        atom.SetAtomMapNum(0)
    molecule = molecule_from_molblock(mol_block(Chem.RenumberAtoms(read, order)))
    types = {force_field: tuple(entry[force_field].split()) for force_field in FORCE_FIELDS}
    return TypedMolecule(name=entry["name"], molecule=molecule, types=types)


def batch_of(molecules: Iterable[TypedMolecule]) -> GraphBatch:
    """Some typed molecules as a batch."""
    molecules = list(molecules)
    return GraphBatch.from_molecules([one.molecule for one in molecules], [one.name for one in molecules])
