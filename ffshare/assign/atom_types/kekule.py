"""Bond orders 1, 2 and 3: one Kekulé structure of each molecule, the same in whatever order its atoms stand.

A conjugated ring system may have several Kekulé structures. They differ by rings of alternating single and double
bonds, so only ring bonds between atoms with a double bond in a ring are open to choice; where such an atom has but one
neighbour of its kind, its double bond is forced, and removing both may force others (*peeling*). Of what is left

* systems of six-membered rings only, like benzene, pyridine, naphthalene, get any Kekulé structure: GAFF's bond kinds
  do not tell single from double in them. All of a batch are solved at once, as one bipartite matching;
* other systems, like azulene or pentalene, get the structure that RDKit finds when their atoms stand in RDKit's
  canonical order. It may differ from the one that was read, which for such systems is an accident of the writer.
"""

import numpy as np
from rdkit import Chem
from scipy import sparse

from ffshare.assign.atom_types.rings import BoolArray, Rings
from ffshare.molecules import GraphBatch, silenced
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record


@record
class _Systems:
    """Bonds that are open to choice, one edge each, over atoms numbered anew."""

    bonds: IntArray = doc("edges from the lower to the higher atom, shape=(n_open,)")
    ends: IntArray = doc("their atoms, numbered anew, shape=(n_open, 2)")
    components: IntArray = doc("connected component of each atom, shape=(n_atoms,)")
    colours: IntArray = doc("0 or 1, different at both ends of a bond where the component allows, shape=(n_atoms,)")
    odd: BoolArray = doc("components that hold a ring of odd size, shape=(n_components,)")


def kekule_orders(batch: GraphBatch, rings: Rings, careful: BoolArray) -> IntArray:
    """Bond order of each edge in one Kekulé structure, 1 to 3.

    Args:
        batch: The molecules.
        rings: Their rings.
        careful: Molecules in which single and double bonds of all rings have to be told apart, shape=(n_molecules,).

    Returns:
        Orders, shape=(n_edges,).

    Example:
        >>> from ffshare.assign.atom_types.rings import perceive_rings
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("c1ccccc1")
        >>> orders = kekule_orders(batch, perceive_rings(batch), careful=np.zeros(1, dtype=bool))
        >>> sorted(orders[batch.bond_edges].tolist())
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]
    """
    orders = batch.orders // 2
    bonds = _peeled(batch, orders)
    if not len(bonds):
        return orders
    systems = _systems(batch, bonds)
    doubles = _matched(systems)
    component = systems.components[systems.ends[:, 0]]
    n_matched = 2 * np.bincount(component[doubles], minlength=len(systems.odd))
    unsolved = systems.odd | (n_matched < np.bincount(systems.components))
    molecules = batch.atom_molecules[batch.sources[bonds]]
    unsolved[component[~_in_benzene(batch, rings, bonds) | careful[molecules]]] = True
    _set_orders(batch, orders, bonds, 1 + doubles)
    is_left = unsolved[component]
    for molecule_idx in np.unique(molecules[is_left]).tolist():
        chosen = bonds[is_left & (molecules == molecule_idx)]
        _set_orders(batch, orders, chosen, _canonical_orders(batch, molecule_idx, chosen))
    return orders


def _set_orders(batch: GraphBatch, orders: IntArray, bonds: IntArray, values: IntArray | int) -> None:
    orders[bonds] = values
    orders[batch.reverses[bonds]] = values


def _peeled(batch: GraphBatch, orders: IntArray) -> IntArray:
    """Ring bonds that are open to choice, each as the edge from its lower atom; the orders of forced ones are set."""
    is_double, is_aromatic = batch.orders == 4, batch.orders == 3
    n_doubles = np.bincount(batch.sources[is_double], minlength=batch.n_atoms)
    # Atoms with two double bonds, as in sulfur diimides, keep them, and so do their neighbours.
    is_open = is_double & batch.in_ring & _both(batch, (n_doubles == 1) & ~batch.aromatic)
    has_open = np.zeros(batch.n_atoms, dtype=bool)
    has_open[batch.sources[is_open]] = True
    # An aromatic atom may have its double bond outside its aromatic ring, as in 2,1-benzoxazole.
    edges = np.flatnonzero((is_aromatic & _both(batch, n_doubles == 0)) | (batch.in_ring & _both(batch, has_open)))
    while len(edges):
        is_leaf = np.bincount(batch.sources[edges], minlength=batch.n_atoms) == 1
        forced = edges[is_leaf[batch.sources[edges]]]
        if not len(forced):
            break
        _set_orders(batch, orders, forced, 2)
        matched = np.zeros(batch.n_atoms, dtype=bool)
        matched[batch.sources[forced]] = matched[batch.targets[forced]] = True
        edges = edges[~(matched[batch.sources[edges]] | matched[batch.targets[edges]])]
    return edges[batch.sources[edges] < batch.targets[edges]]


def _both(batch: GraphBatch, flags: BoolArray) -> BoolArray:
    found: BoolArray = flags[batch.sources] & flags[batch.targets]
    return found


def _systems(batch: GraphBatch, bonds: IntArray) -> _Systems:
    """Components and colours, both from the graph's double cover.

    The double cover has two copies of each atom, and joins unlike copies of bonded atoms. An even component falls into
    two parts there, each with one copy of every atom: which copy is the atom's colour. An odd component stays whole.
    """
    atoms, ends = np.unique(np.stack([batch.sources[bonds], batch.targets[bonds]], axis=1), return_inverse=True)
    n_atoms, ends = len(atoms), ends.reshape(-1, 2)
    lines = (np.concatenate([ends[:, 0], ends[:, 1]]), np.concatenate([ends[:, 1], ends[:, 0]]) + n_atoms)
    cover = sparse.coo_array((np.ones(2 * len(ends)), lines), shape=(2 * n_atoms, 2 * n_atoms)).tocsr()
    parts = sparse.csgraph.connected_components(cover, directed=False)[1].reshape(2, n_atoms)
    components = np.unique(parts.min(axis=0), return_inverse=True)[1]
    odd = np.zeros(int(components.max()) + 1, dtype=bool)
    odd[components[parts[0] == parts[1]]] = True
    return _Systems(
        bonds=bonds, ends=ends, components=components, colours=(parts[0] > parts[1]).astype(np.int64), odd=odd
    )


def _matched(systems: _Systems) -> BoolArray:
    """Bonds of a largest set without common atoms; none in odd components."""
    n_atoms = len(systems.components)
    even = ~systems.odd[systems.components[systems.ends[:, 0]]]
    ends = np.where((systems.colours[systems.ends[:, 0]] == 0)[:, None], systems.ends, systems.ends[:, ::-1])
    graph = sparse.coo_array((np.ones(int(even.sum())), ends[even].T), shape=(n_atoms, n_atoms)).tocsr()
    partners = sparse.csgraph.maximum_bipartite_matching(graph, perm_type="column")
    found: BoolArray = even & (partners[ends[:, 0]] == ends[:, 1])
    return found


def _in_benzene(batch: GraphBatch, rings: Rings, bonds: IntArray) -> BoolArray:
    """Whether a bond lies in a ring of six atoms that are all ends of the given bonds."""
    is_end = np.zeros(batch.n_atoms, dtype=bool)
    is_end[batch.sources[bonds]] = is_end[batch.targets[bonds]] = True
    found: BoolArray = rings.holds_edges((rings.sizes == 6) & (rings.sums(is_end[rings.atoms]) == 6), batch)[bonds]
    return found


def _canonical_orders(batch: GraphBatch, molecule_idx: int, bonds: IntArray) -> IntArray:
    """Orders of some ring bonds of one molecule: RDKit's Kekulé structure in RDKit's canonical order of atoms."""
    molecule = Chem.RWMol(batch.molecules[molecule_idx])
    ends = np.stack([batch.local_idxs(batch.sources[bonds]), batch.local_idxs(batch.targets[bonds])], axis=1)
    for first, second in ends.tolist():
        bond = molecule.GetBondBetweenAtoms(first, second)
        bond.SetBondType(Chem.BondType.AROMATIC)
        for part in (bond, bond.GetBeginAtom(), bond.GetEndAtom()):
            part.SetIsAromatic(True)
    ranks = canonical_ranks(molecule)
    ordered = Chem.RenumberAtoms(molecule, sorted(range(len(ranks)), key=ranks.__getitem__))
    found = _kekulized(ordered, np.array(ranks)[ends])
    if (np.bincount(ends.ravel(), weights=np.repeat(found == 2, 2))[ends] != 1).any():
        # RDKit gives no double bond to hypervalent atoms, as of phosphazenes: what was read has to do.
        found = _kekulized(Chem.Mol(batch.molecules[molecule_idx]), ends)
    return found


def _kekulized(molecule: Chem.Mol, ends: IntArray) -> IntArray:
    """Orders of bonds in RDKit's Kekulé structure, 0 where it finds none."""
    with silenced():
        try:
            Chem.Kekulize(molecule, clearAromaticFlags=True)
        except Chem.KekulizeException:
            return np.zeros(len(ends), dtype=np.int64)
    bonds = [molecule.GetBondBetweenAtoms(first, second) for first, second in ends.tolist()]
    return np.array([int(bond.GetBondTypeAsDouble()) for bond in bonds], dtype=np.int64)


def canonical_ranks(molecule: Chem.Mol, *, break_ties: bool = True) -> list[int]:
    """Places of the atoms in RDKit's canonical order, regardless of stereochemistry and isotopes.

    Mirror images get the same ranks. Atoms that symmetry makes equal are told apart in some way, or keep one rank.

    Args:
        molecule: A molecule.
        break_ties: Whether atoms that symmetry makes equal are told apart.

    Returns:
        Ranks from 0, shape=(RDKit atoms,).
    """
    ranks = Chem.CanonicalRankAtoms(
        molecule, breakTies=break_ties, includeChirality=False, includeIsotopes=False, includeAtomMaps=False
    )
    return list(ranks)


def skeleton(molecule: Chem.Mol) -> Chem.Mol:
    """A molecule without its charges and bond orders, with all its hydrogens.

    Args:
        molecule: Any molecule.

    Returns:
        A copy with single bonds only, not sanitized; added hydrogens are the last atoms.

    Example:
        >>> first, second = (skeleton(Chem.MolFromSmiles(text)) for text in ("CC=[NH2+]", "C[CH+]N"))
        >>> Chem.MolToSmiles(first) == Chem.MolToSmiles(second)
        True
    """
    # Hydrogens as atoms, whether given or implied: RDKit's canonical order is another with than without them.
    bare = Chem.AddHs(molecule)
    for atom in bare.GetAtoms():
        atom.SetNoImplicit(True)
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
    for bond in bare.GetBonds():
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetIsAromatic(False)
    bare.UpdatePropertyCache(strict=False)
    return bare
