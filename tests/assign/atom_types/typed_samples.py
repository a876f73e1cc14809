"""Molecules with the types that antechamber of AmberTools 26 gives their atoms, and what can be done to such types."""

from functools import cache

import numpy as np
from rdkit import Chem

import ffshare
from ffshare.assign.atom_types.definition import load_definition
from ffshare.assign.atom_types.lookup import Lookup
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch

PARTNERS = {"cc": "cd", "ce": "cf", "cg": "ch", "cp": "cq", "nc": "nd", "ne": "nf", "pc": "pd", "pe": "pf"}
BASES = {second: first for first, second in PARTNERS.items()}

# Name: SMILES, GAFF types, and GAFF2 types where they are others.
SAMPLES = {
    "hexatriene": ("C=CC=CC=C", "c2 ce ce cf cf c2 ha ha ha ha ha ha ha ha", ""),
    "o-terphenyl": (
        "c1ccc(cc1)-c1ccccc1-c1ccccc1",
        f"ca ca ca cp ca ca cp {'ca ' * 4}cq cq {'ca ' * 5}{'ha ' * 14}",
        "",
    ),
    "N-methylimidazole": ("Cn1ccnc1", "c3 na cc cd nd cc h1 h1 h1 h4 h4 h5", ""),
    "methyl acetate": ("CC(=O)OC", "c3 c o os c3 hc hc hc h1 h1 h1", ""),
    "N-phenylacetamide": (
        "CC(=O)Nc1ccccc1",
        f"c3 c o n {'ca ' * 6}hc hc hc hn {'ha ' * 5}",
        f"c3 c o ns {'ca ' * 6}hc hc hc hn {'ha ' * 5}",
    ),
    "2-phenylpyrimidine": ("c1ccc(cc1)-c1ncccn1", f"ca ca ca cp ca ca cp nb ca ca ca nb {'ha ' * 5}h4 ha h4", ""),
    "thiazole-5-carboxamide": (
        "NC(=O)c1cncs1",
        "n c o cc cd nd cc ss hn hn h4 h5",
        "nt c o cc cd nd cc ss hn hn h4 h5",
    ),
    "2-cyanofuran": ("N#Cc1ccco1", "n1 cg cc cd cd cc os ha ha h4", ""),
    "nitroethene": ("C=C[N+](=O)[O-]", "c2 c2 no o o ha ha h4", ""),
    "2,2'-bithiophene": ("c1csc(c1)-c1cccs1", "cc cd ss cd cc cd cc cc cd ss ha h4 ha ha ha h4", ""),
    "stilbene": ("c1ccc(cc1)/C=C/c1ccccc1", f"{'ca ' * 6}ce cf {'ca ' * 6}{'ha ' * 12}", ""),
    "methanesulfonamide": ("CS(=O)(=O)N", "c3 s6 o o n3 h1 h1 h1 hn hn", "c3 s6 o o n8 h1 h1 h1 hn hn"),
}


@cache
def definition_of(name):
    """A force field that comes with ffshare."""
    return load_definition(data_directory("rules") / name)


def lookup_of(name, mode="canonical"):
    """A look-up that has seen nothing."""
    return Lookup(definition_of(name), PARTNERS, mode)


def sample(name, force_field="gaff"):
    """A molecule as a batch, with its typed atoms."""
    smiles, gaff, gaff2 = SAMPLES[name]
    batch = ffshare.from_smiles(smiles)
    return batch, typed(batch, ((gaff2 if force_field == "gaff2" else "") or gaff).split())


def all_samples(force_field="gaff"):
    """All molecules as one batch, with their typed atoms."""
    batch = ffshare.from_smiles(*(smiles for smiles, _, _ in SAMPLES.values()))
    names = [((gaff2 if force_field == "gaff2" else "") or gaff).split() for _, gaff, gaff2 in SAMPLES.values()]
    return batch, typed(batch, [name for of_molecule in names for name in of_molecule])


def typed(batch, types):
    """The typed atoms of a batch whose types are known: signs from the types, components from the bonds."""
    names = tuple(sorted({*types, *PARTNERS, *BASES}))
    number = {name: place for place, name in enumerate(names)}
    bases = [BASES.get(name, name) for name in types]
    components = np.full(len(types), -1)
    for start in range(len(types)):
        if bases[start] in PARTNERS and components[start] < 0:
            components[start], open_ends = start, [start]
            while open_ends:
                atom = open_ends.pop()
                for other in batch.targets[batch.row_offsets[atom] : batch.row_offsets[atom + 1]].tolist():
                    together = (bases[atom] == "cp") == (bases[other] == "cp")
                    if bases[other] in PARTNERS and together and components[other] < 0:
                        components[other] = start
                        open_ends.append(other)
    return TypedAtoms(
        names=names,
        types=np.array([number[name] for name in types]),
        base_types=np.array([number[name] for name in bases]),
        rules=np.zeros(len(types)),
        signs=np.array([(name in PARTNERS) - (name in BASES) for name in types]),
        components=components,
        frustrated=(),
    )


def flipped(atoms, components):
    """The same types with the signs of some components turned round."""
    names = list(atoms.names)
    turned = np.isin(atoms.components, components)
    types = [
        names.index(PARTNERS.get(names[name], BASES.get(names[name], names[name]))) if turn else name
        for name, turn in zip(atoms.types.tolist(), turned.tolist(), strict=True)
    ]
    return TypedAtoms(
        names=atoms.names,
        types=np.array(types),
        base_types=atoms.base_types,
        rules=atoms.rules,
        signs=np.where(turned, -atoms.signs, atoms.signs),
        components=atoms.components,
        frustrated=(),
    )


def renumbered(batch, atoms, order):
    """One molecule with its atoms in another order, and its types in that order."""
    molecule = Chem.RenumberAtoms(batch.explicit_molecule(0), list(order))
    places = np.asarray(order)
    arrays = {name: getattr(atoms, name)[places] for name in ("types", "base_types", "rules", "signs", "components")}
    return GraphBatch.from_molecules([molecule]), TypedAtoms(names=atoms.names, frustrated=(), **arrays)
