"""Strata are named by elements and bond orders, and are the same from either end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls.orient import SECTIONS
from ffshare.assign.controls.strata import N_LEVELS, everything, strata
from tests.assign.controls.graphs import all_sites, same_partition
from tests.smirks.diverse import DIVERSE


@pytest.mark.parametrize(
    ("smiles", "atoms", "section", "names"),
    [
        ("C#N", (0, 1), "Bonds", ["C-N:6", "X-X:6", "X-X:~", "X-X:~"]),
        ("C#N", (1, 0), "Bonds", ["C-N:6", "X-X:6", "X-X:~", "X-X:~"]),
        ("CN[SiH3]", (2, 1, 0), "Angles", ["C-N-Si:2-2", "X-N-X:2-2", "X-N-X:~-~", "X-X-X:~-~"]),
        ("OC=CF", (3, 2, 1, 0), "ProperTorsions", ["O-C-C-F:2-4-2", "X-C-C-X:2-4-2", "X-C-C-X:~-4-~", "X-X-X-X:~-~-~"]),
        (
            "CC(=O)N",
            (3, 1, 2, 0),
            "ImproperTorsions",
            ["C-C-N-O:2-2-4", "X-C-X-X:2-2-4", "X-C-X-X:~-~-~", "X-X-X-X:~-~-~"],
        ),
        ("c1ccccc1", (0,), "vdW", ["C", "X", "X", "X"]),
    ],
)
def test_a_stratum_is_named_by_elements_and_twice_the_bond_orders(smiles, atoms, section, names):
    batch = ffshare.from_smiles(smiles)
    assert [strata(batch, np.array([atoms]), section, level).name(0) for level in range(N_LEVELS)] == names
    assert everything(section).name(0) == names[-1]


@pytest.mark.parametrize("section", SECTIONS)
def test_sites_have_one_key_if_they_have_one_name(section):
    batch = ffshare.from_smiles(*DIVERSE.values())
    atoms = all_sites(batch, section)
    for level in range(N_LEVELS):
        found = strata(batch, atoms, section, level)
        names = [found.name(site) for site in range(len(atoms))]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        assert same_partition(found.keys, np.array([numbers[name] for name in names]))


@given(section=st.sampled_from(["Bonds", "Angles", "ProperTorsions"]), level=st.integers(0, N_LEVELS - 1))
def test_a_stratum_is_the_same_from_either_end(section, level):
    batch = ffshare.from_smiles(*list(DIVERSE.values())[::5])
    atoms = all_sites(batch, section)
    assert (
        strata(batch, atoms, section, level).keys.tolist()
        == strata(batch, atoms[:, ::-1], section, level).keys.tolist()
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_every_level_is_wider_than_the_one_before(section):
    batch = ffshare.from_smiles(*DIVERSE.values())
    atoms = all_sites(batch, section)
    for level in range(N_LEVELS - 1):
        narrow, wide = (strata(batch, atoms, section, one).keys.tolist() for one in (level, level + 1))
        assert len(set(zip(narrow, wide, strict=True))) == len(set(narrow))
    assert len(set(strata(batch, atoms, section, N_LEVELS - 1).keys.tolist())) == 1
