"""Sets of real molecules on which labels are compared, each as one file that both programs read by themselves.

============ ===================================================================================================
minidrugbank the drugs that openff-toolkit installs, an SD file as it is
freesolv     the small molecules that openff-toolkit installs as mol2 files, written as one SD file through RDKit
peptides     capped dipeptides of every residue, for the whole-residue patterns of the ff14SB port
others       water, ions and small molecules that meet library charges
shipped      molecules of the data kept beside the project that come with reference labels
pubchem      molecules of the data kept beside the project
============ ===================================================================================================
"""

import json
import lzma
import os
import random
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from rdkit import Chem, rdBase

RESIDUES = {
    "ALA": "N[C@@H](C)C(=O)",
    "ARG": "N[C@@H](CCCNC(=[NH2+])N)C(=O)",
    "ASN": "N[C@@H](CC(=O)N)C(=O)",
    "ASP": "N[C@@H](CC(=O)[O-])C(=O)",
    "CYS": "N[C@@H](CS)C(=O)",
    "GLN": "N[C@@H](CCC(=O)N)C(=O)",
    "GLU": "N[C@@H](CCC(=O)[O-])C(=O)",
    "GLY": "NCC(=O)",
    "HID": "N[C@@H](Cc1cnc[nH]1)C(=O)",
    "HIE": "N[C@@H](Cc1c[nH]cn1)C(=O)",
    "HIP": "N[C@@H](Cc1c[nH]c[nH+]1)C(=O)",
    "ILE": "N[C@@H]([C@@H](C)CC)C(=O)",
    "LEU": "N[C@@H](CC(C)C)C(=O)",
    "LYS": "N[C@@H](CCCC[NH3+])C(=O)",
    "MET": "N[C@@H](CCSC)C(=O)",
    "PHE": "N[C@@H](Cc1ccccc1)C(=O)",
    "PRO": "N1CCC[C@H]1C(=O)",
    "SER": "N[C@@H](CO)C(=O)",
    "THR": "N[C@@H]([C@H](O)C)C(=O)",
    "TRP": "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)",
    "TYR": "N[C@@H](Cc1ccc(O)cc1)C(=O)",
    "VAL": "N[C@@H](C(C)C)C(=O)",
}
DISULFIDE = "CC(=O)N[C@@H](CSSC[C@@H](C(=O)NC)NC(=O)C)C(=O)NC"

# Both S-O bonds written as single ones, as RDKit reads them from a mol2 file.
_SULFONE = Chem.MolFromSmarts("[S+0](-[O-])(-[O-])(-[#6])-[#6]")

# Water and monatomic ions have library charges in the released force fields; the rest is for patterns of the tests.
OTHERS = {
    "water": "O",
    "lithium": "[Li+]",
    "sodium": "[Na+]",
    "potassium": "[K+]",
    "rubidium": "[Rb+]",
    "caesium": "[Cs+]",
    "fluoride": "[F-]",
    "chloride": "[Cl-]",
    "bromide": "[Br-]",
    "iodide": "[I-]",
    "xenon": "[Xe]",
    "ethane": "CC",
    "pyridine": "c1ccncc1",
    "ammonia": "N",
    "chloroform": "ClC(Cl)Cl",
    "acetone": "CC(=O)C",
}


def data_beside_the_project() -> Path:
    """The folder of data kept beside the project, which may be absent."""
    given = os.environ.get("FFSHARE_TEST_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"


def capped(*residues: str) -> str:
    """SMILES of acetyl - residues - N-methyl.

    >>> capped("ALA", "GLY")
    'CC(=O)N[C@@H](C)C(=O)NCC(=O)NC'
    """
    return f"CC(=O){''.join(RESIDUES[residue] for residue in residues)}NC"


def sampled(path: Path, size: int, rng: random.Random, folder: Path) -> Path:
    """A file with some of the molecules of a file, chosen at random, in their order."""
    text = path.read_text(encoding="utf-8")
    records = (
        re.findall(r".*?^\$\$\$\$\n", text, re.DOTALL | re.MULTILINE)
        if path.suffix == ".sdf"
        else text.splitlines(True)
    )
    chosen = sorted(rng.sample(range(len(records)), min(size, len(records))))
    written = folder / f"sample-of-{path.name}"
    written.write_text("".join(records[idx] for idx in chosen), encoding="utf-8")
    return written


def peptides() -> dict[str, str]:
    """SMILES of a capped dipeptide of every residue and of one disulfide."""
    pairs = {f"{residue}-{residue}": capped(residue, residue) for residue in RESIDUES}
    return pairs | {"CYX+CYX": DISULFIDE}


@cache
def freesolv_archive() -> Mapping[str, bytes]:
    """The files of the FreeSolv set that openff-toolkit installs, by path within the set."""
    from openff.toolkit.utils import get_data_file_path  # optional

    with tarfile.open(get_data_file_path("molecules/FreeSolv.tar.gz")) as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member)
            # Names that start with '._' are leftovers of the system that packed it.
            if content is not None and not Path(member.name).name.startswith("."):
                found[member.name.removeprefix("FreeSolv/")] = content.read()
    return found


def freesolv_molecule(name: str, charge_sulfur: bool = True) -> Chem.Mol:
    """One molecule of FreeSolv as RDKit reads its mol2 file, which writes all hydrogens.

    One file (sulfolane) has two single S-O bonds. RDKit gives each oxygen its charge but the sulfur none, which would
    be a dianion.

    Args:
        name: Such as 'mobley_3323117'.
        charge_sulfur: Whether to give that sulfur its charge, so that the molecule is neutral like all others.
    """
    with rdBase.BlockLogs():
        molecule = Chem.MolFromMol2Block(freesolv_archive()[f"mol2files_sybyl/{name}.mol2"].decode(), removeHs=False)
    for match in molecule.GetSubstructMatches(_SULFONE) if charge_sulfur else ():
        molecule.GetAtomWithIdx(match[0]).SetFormalCharge(2)
    molecule.SetProp("_Name", name)
    return molecule


def freesolv_names() -> list[str]:
    """Names of the molecules of FreeSolv, sorted."""
    return sorted(Path(path).stem for path in freesolv_archive() if path.endswith(".mol2"))


def _minidrugbank(folder: Path) -> Path:
    from openff.toolkit.utils import get_data_file_path  # optional

    return Path(get_data_file_path("molecules/MiniDrugBank.sdf"))


def _freesolv(folder: Path) -> Path:
    path = folder / "freesolv.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for name in freesolv_names():
            writer.write(freesolv_molecule(name))
    return path


def _smiles_file(path: Path, smiles: Iterable[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{text} {name}\n" for name, text in smiles), encoding="utf-8")
    return path


def _peptides(folder: Path) -> Path:
    return _smiles_file(folder / "peptides.smi", peptides().items())


def _others(folder: Path) -> Path:
    return _smiles_file(folder / "others.smi", OTHERS.items())


def _shipped(folder: Path) -> Path:
    with lzma.open(data_beside_the_project() / "assign" / "molecules.jsonl.xz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return _smiles_file(folder / "shipped.smi", [(row["name"], row["mapped_smiles"]) for row in rows])


def _pubchem(folder: Path) -> Path:
    with lzma.open(data_beside_the_project() / "molecules" / "pubchem_5k.smi.xz", "rt") as lines:
        rows = [line.split()[0] for line in lines if line.strip()]
    return _smiles_file(folder / "pubchem.smi", [(f"pubchem-{idx}", text) for idx, text in enumerate(rows)])


# Name of a set to what writes its file to a folder, or finds it where it is installed.
SETS: Mapping[str, Callable[[Path], Path]] = {
    "minidrugbank": _minidrugbank,
    "freesolv": _freesolv,
    "peptides": _peptides,
    "others": _others,
    "shipped": _shipped,
    "pubchem": _pubchem,
}
BESIDE_THE_PROJECT = ("shipped", "pubchem")
