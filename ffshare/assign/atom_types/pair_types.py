"""Signs of pair types: which of cc and cd (cp and cq, ce and cf, …) an atom is.

The typing rules give one type of each pair; the other marks atoms of opposite sign. Single bonds join equal signs and
double bonds opposite ones, so that the tables can tell the two apart: cc-cc is single, cc-cd double. This colours a
conjugated system with two colours, which no pattern of neighbours can express. Only relative signs within one connected
*component* mean something; where an odd cycle contradicts itself, the component is *frustrated* and none do.

Components and their colours come from one pass over the batch: every atom is two nodes, one for each sign, and a bond
joins the nodes that it allows together. A component is then two sets of nodes that mirror each other, or one set if it
is frustrated. What remains is which colour is +1, and two modes choose it. ``canonical``: that of the atom of lowest
canonical rank, so that renumbering changes nothing but equivalent atoms; atoms of frustrated components are +1.
``antechamber``: as AmberTools does, sweeping along the bonds of the input from its first atom on, so that signs depend
on the order of the input, and in frustrated components contradict each other.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ffshare.assign.atom_types.typing_rules import PairRule
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class PairSigns:
    """The signs of the atoms of pair types of a batch."""

    signs: IntArray = doc("+1 or −1 for atoms of pair types, else 0, shape=(n_atoms,)")
    components: IntArray = doc(
        "component of each atom of a pair type, −1 for others; each atom of a frustrated one is a component of its "
        "own, shape=(n_atoms,)"
    )
    frustrated: tuple[int, ...] = doc("molecules with a frustrated component, ascending")

    def __post_init__(self) -> None:
        freeze_arrays(self, signs=np.int64, components=np.int64)


@record
class _Members:
    """Atoms of pair types and the bonds within a group of them."""

    atoms: IntArray = doc("atoms of the batch, ascending, shape=(n_members,)")
    groups: IntArray = doc("index of the pair rule of each, shape=(n_members,)")
    one_seed: NDArray[np.bool_] = doc("`PairRule.one_seed` of the rule of each, shape=(n_members,)")
    firsts: IntArray = doc("member at one end of each bond, shape=(n_bonds,)")
    seconds: IntArray = doc("member at its other end, shape=(n_bonds,)")
    relations: IntArray = doc("+1: the bond joins equal signs, −1: opposite ones, 0: any, shape=(n_bonds,)")


@record
class _Colours:
    """Components of members and their two colours."""

    components: IntArray = doc("component of each member, 0, 1, …, shape=(n_members,)")
    colours: IntArray = doc("+1 or −1, opposite ones in either colour of a component, shape=(n_members,)")
    frustrated: NDArray[np.bool_] = doc("whether a member's bonds contradict each other, shape=(n_members,)")


def pair_signs(
    batch: GraphBatch, groups: IntArray, pairs: Sequence[PairRule], bond_types: IntArray, mode: str = "canonical"
) -> PairSigns:
    """The sign of each atom of a pair type.

    Args:
        batch: The molecules.
        groups: Index into `pairs` of each atom, −1 where its type is none of a pair, shape=(n_atoms,).
        pairs: What hands signs on in each group; nothing is handed on between groups.
        bond_types: AMBER type of each edge, shape=(n_edges,).
        mode: One of `MODES`.

    Returns:
        Signs, and the components within which they mean something.

    Raises:
        SchemeError: The mode is unknown.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("C=CC=C")
        >>> groups = np.where(batch.elements == 6, 0, -1)
        >>> rule = PairRule(partners={"ce": "cf"}, same=(1, 7), opposite=(2, 3, 8), one_seed=False)
        >>> pair_signs(batch, groups, [rule], batch.orders // 2, "antechamber").signs[:4]
        array([ 1, -1, -1,  1])
    """
    if mode not in MODES:
        raise SchemeError(f"mode {mode!r} of pair types is unknown; expected {' or '.join(MODES)}")
    members = _members(batch, groups, pairs, bond_types)
    found = _colours(members)
    signs, components = np.zeros(batch.n_atoms, dtype=np.int64), np.full(batch.n_atoms, -1, dtype=np.int64)
    signs[members.atoms] = MODES[mode](batch, members, found)
    components[members.atoms] = found.components
    frustrated = np.unique(batch.atom_molecules[members.atoms[found.frustrated]])
    return PairSigns(signs=signs, components=components, frustrated=tuple(frustrated.tolist()))


def _members(batch: GraphBatch, groups: IntArray, pairs: Sequence[PairRule], bond_types: IntArray) -> _Members:
    atoms = np.flatnonzero(groups >= 0)
    places = np.full(batch.n_atoms, -1, dtype=np.int64)
    places[atoms] = np.arange(len(atoms))
    sources, targets = batch.bonds.T
    inside = (groups[sources] >= 0) & (groups[sources] == groups[targets])
    relation_of = np.zeros((len(pairs), 1 + int(bond_types.max(initial=0))), dtype=np.int64)
    for row, pair in zip(relation_of, pairs, strict=True):
        for sign, kinds in ((1, pair.same), (-1, pair.opposite)):
            row[[kind for kind in kinds if kind < len(row)]] = sign
    return _Members(
        atoms=atoms,
        groups=groups[atoms],
        one_seed=np.array([pair.one_seed for pair in pairs], dtype=bool)[groups[atoms]],
        firsts=places[sources[inside]],
        seconds=places[targets[inside]],
        relations=relation_of[groups[sources[inside]], bond_types[batch.bond_edges[inside]]],
    )


def _colours(members: _Members) -> _Colours:
    n_members = len(members.atoms)
    joins = members.relations != 0
    firsts, seconds, turns = 2 * members.firsts[joins], 2 * members.seconds[joins], members.relations[joins] < 0
    ends = np.concatenate([firsts, firsts + 1]), np.concatenate([seconds + turns, seconds + 1 - turns])
    graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(2 * n_members, 2 * n_members))
    plus, minus = connected_components(graph, directed=False)[1].reshape(-1, 2).T
    frustrated = plus == minus
    low = np.where(frustrated, 2 * n_members + np.arange(n_members), np.minimum(plus, minus))
    return _Colours(
        components=np.unique(low, return_inverse=True)[1],
        colours=np.where(frustrated | (plus < minus), 1, -1),
        frustrated=frustrated,
    )


def _canonical(batch: GraphBatch, members: _Members, found: _Colours) -> IntArray:
    """Signs that make the atom of lowest canonical rank of each component +1."""
    sums = np.bincount(found.components, weights=found.colours)
    two_coloured = np.abs(sums) < np.bincount(found.components)
    ranks = np.zeros(len(members.atoms), dtype=np.int64)
    molecules, local_idxs = batch.atom_molecules[members.atoms], batch.local_idxs(members.atoms)
    for idx in np.unique(molecules[two_coloured[found.components]]).tolist():
        chosen = slice(*np.searchsorted(molecules, [idx, idx + 1]).tolist())
        # Constitution decides: atoms that differ in stereochemistry only have the same conjugated system around them.
        ranked = Chem.CanonicalRankAtoms(batch.molecules[idx], breakTies=True, includeChirality=False)
        ranks[chosen] = [ranked[local_idx] for local_idx in local_idxs[chosen].tolist()]
    order = np.lexsort((ranks, found.components))
    lowest = order[np.unique(found.components[order], return_index=True)[1]]
    signs: IntArray = found.colours * found.colours[lowest][found.components]
    return signs


def _antechamber(batch: GraphBatch, members: _Members, found: _Colours) -> IntArray:
    """Signs as AmberTools 26 gives them, one molecule and one group after another."""
    signs: dict[int, int] = {}
    bonds = _bonds_of_input(batch, members)
    kinds = batch.atom_molecules[members.atoms] * (1 + members.groups.max(initial=0)) + members.groups
    _, seeds, inverse, counts = np.unique(kinds, return_index=True, return_inverse=True, return_counts=True)
    bonds_of_kind: list[list[tuple[int, int, int]]] = [[] for _ in seeds]
    for bond in bonds:
        bonds_of_kind[inverse[bond[0]]].append(bond)
    for seed, count, rows in zip(seeds.tolist(), counts.tolist(), bonds_of_kind, strict=True):
        signs[seed] = 1
        _sweep(signs, rows, count - 1, one_seed=bool(members.one_seed[seed]))
    return np.array([signs.get(member, 1) for member in range(len(members.atoms))], dtype=np.int64)


def _bonds_of_input(batch: GraphBatch, members: _Members) -> list[tuple[int, int, int]]:
    """Members at the begin and end of each bond and its relation, those of a molecule in the order of the input."""
    local_idxs = batch.local_idxs(members.atoms).tolist()
    molecules = batch.atom_molecules[members.atoms].tolist()
    found = []
    bonds = zip(members.firsts.tolist(), members.seconds.tolist(), members.relations.tolist(), strict=True)
    for first, second, relation in bonds:
        bond = batch.molecules[molecules[first]].GetBondBetweenAtoms(local_idxs[first], local_idxs[second])
        begin, end = (first, second) if bond.GetBeginAtomIdx() == local_idxs[first] else (second, first)
        found.append((molecules[first], bond.GetIdx(), begin, end, relation))
    return [(begin, end, relation) for _, _, begin, end, relation in sorted(found)]


def _sweep(signs: dict[int, int], bonds: Sequence[tuple[int, int, int]], n_sweeps: int, one_seed: bool) -> None:
    """Hand signs on along bonds, over and over.

    A bond without any sign starts anew while the sweep has met no bond with one sign; a bond that hands nothing on
    counts.
    """
    for _ in range(n_sweeps):
        n_before, idle = len(signs), True
        for begin, end, relation in bonds:
            if idle and not (one_seed or begin in signs or end in signs):
                signs[begin] = 1
            if (begin in signs) != (end in signs):
                idle = False
                known, other = (begin, end) if begin in signs else (end, begin)
                if relation:
                    signs[other] = signs[known] * relation
        if len(signs) == n_before:
            return


# Mode → how it chooses signs.
MODES: Mapping[str, Callable[[GraphBatch, _Members, _Colours], IntArray]] = {
    "canonical": _canonical,
    "antechamber": _antechamber,
}
