"""The library of the benchmark: real molecules, next to none twice, the same for a seed."""

import importlib.util
from itertools import islice
from pathlib import Path

from rdkit import Chem

PATH = Path(__file__).parents[2] / "scripts" / "make_library.py"
SPEC = importlib.util.spec_from_file_location("make_library", PATH)
make_library = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_library)


def test_every_line_is_one_molecule_that_the_parts_explain():
    lines = list(islice(make_library.library(seed=3), 2000))
    found = [Chem.MolFromSmiles(smiles) for smiles, _ in lines]
    assert None not in found
    assert all(len(Chem.GetMolFrags(molecule)) == 1 for molecule in found)
    assert len({Chem.MolToSmiles(molecule) for molecule in found}) > 1980
    assert len({number for _, number in lines}) == len(lines)


def test_a_seed_gives_the_same_library_and_another_one_another():
    first, again, other = (list(islice(make_library.library(seed), 50)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_branch_keeps_what_stands_in_brackets():
    assert make_library.as_branch(("c", "1", "cc([13CH3])c%10ccc1%10")) == "c%51cc([13CH3])c%60ccc%51%60"
