"""A SMARTS or SMIRKS pattern, parsed once.

RDKit parses; here the parsed query is taken apart into what array matching needs: one query an atom, one query a bond,
the graph that joins them, the tagged atoms in the order of their tags, and the recursive parts ``$(…)`` as patterns of
their own.
"""

from functools import lru_cache

from rdkit import Chem

from ffshare.errors import PatternError
from ffshare.molecules.rdkit_log import reason_of_failure
from ffshare.records import doc, record
from ffshare.smirks.smarts_text import atom_texts, nesting, recursive_texts
from ffshare.smirks.vocabulary import fields_of_query, is_decidable_bond

# Patterns and queries kept in memory: more than any force field holds.
_REMEMBERED = 1 << 15


@record
class AtomQuery:
    """What a pattern asks of one atom. Equal keys mean equal queries."""

    key: str = doc("RDKit's description of the query and its text: together they tell queries apart")
    single: Chem.Mol = doc("the query as a pattern of one atom")
    fields: frozenset[str] | None = doc("fields that decide it, beside its recursive parts; None: none do")
    depth: int = doc("nesting depth of recursive parts, 0 without")


@record
class Pattern:
    """A parsed pattern. Atoms and bonds are numbered as RDKit numbers them, in the order of the text."""

    smarts: str = doc("the text")
    query: Chem.Mol = doc("RDKit's parsed query")
    texts: tuple[str, ...] = doc("each atom as written, without its tag")
    atoms: tuple[AtomQuery, ...] = doc("query of each atom")
    bonds: tuple[tuple[int, int, str], ...] = doc("first atom, second atom and key of the query of each bond")
    tagged: tuple[int, ...] = doc("atoms that carry tags 1, 2, …, in that order; empty without tags")
    recursive: tuple["Pattern", ...] = doc("the patterns of its recursive parts, each once")
    depth: int = doc("nesting depth of its recursive parts, 0 without")
    exact: bool = doc("whether fields and graph decide it fully; else candidates are confirmed by RDKit's matcher")


# Queries by their keys: a force field asks for few atoms, many times.
_ATOM_QUERIES: dict[str, AtomQuery] = {}


@lru_cache(maxsize=_REMEMBERED)
def parse_pattern(smarts: str) -> Pattern:
    """The pattern of a SMARTS or SMIRKS text.

    Args:
        smarts: The text. Tags are atom map numbers.

    Returns:
        The parsed pattern.

    Raises:
        PatternError: RDKit cannot parse it, or it holds no atoms.

    Example:
        >>> pattern = parse_pattern("[#6X3:1](=O)-[#7:2]")
        >>> pattern.tagged, pattern.bonds[0][:2], pattern.exact
        ((0, 2), (0, 1), True)
    """
    query: Chem.Mol | None = Chem.MolFromSmarts(smarts)
    if query is None:
        reason = reason_of_failure(lambda: Chem.MolFromSmarts(smarts))
        raise PatternError(smarts, f"not a SMARTS pattern ({reason or 'RDKit gives no reason'})")
    if query.GetNumAtoms() == 0:
        raise PatternError(smarts, "holds no atoms")
    texts = atom_texts(smarts)
    if len(texts) != query.GetNumAtoms():
        raise PatternError(smarts, f"reads as {len(texts)} atoms, RDKit parses {query.GetNumAtoms()}; write it plainly")
    query_atoms, query_bonds = list(query.GetAtoms()), list(query.GetBonds())
    recursive = tuple(map(parse_pattern, dict.fromkeys(part for text in texts for part in recursive_texts(text))))
    atoms = tuple(_atom_query(atom, text) for atom, text in zip(query_atoms, texts, strict=True))
    bonds = tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.DescribeQuery()) for bond in query_bonds)
    tags = {atom.GetAtomMapNum(): atom.GetIdx() for atom in query_atoms if atom.GetAtomMapNum()}
    return Pattern(
        smarts=smarts,
        query=query,
        texts=texts,
        atoms=atoms,
        bonds=bonds,
        tagged=tuple(tags[tag] for tag in sorted(tags)),
        recursive=recursive,
        depth=max((1 + part.depth for part in recursive), default=0),
        exact=(
            all(atom.fields is not None for atom in atoms)
            and all(is_decidable_bond(key) for _, _, key in bonds)
            and all(atom.GetChiralTag() == Chem.ChiralType.CHI_UNSPECIFIED for atom in query_atoms)
            and all(bond.GetBondDir() == Chem.BondDir.NONE for bond in query_bonds)
        ),
    )


def _atom_query(atom: Chem.Atom, text: str) -> AtomQuery:
    description = atom.DescribeQuery()
    # The description hides what recursive parts hold; RDKit's own SMARTS of a query loses some of their bonds.
    key = f"{description}{text}"
    known = _ATOM_QUERIES.get(key)
    if known is not None:
        return known
    single = Chem.RWMol()
    single.AddAtom(atom)
    alone = single.GetAtomWithIdx(0)
    alone.SetAtomMapNum(0)
    alone.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    decidable = all(parse_pattern(part).exact for part in recursive_texts(text))
    query = AtomQuery(
        key=key,
        single=single.GetMol(),
        fields=fields_of_query(description) if decidable else None,
        depth=nesting(text),
    )
    if len(_ATOM_QUERIES) >= _REMEMBERED:
        _ATOM_QUERIES.clear()
    _ATOM_QUERIES[key] = query
    return query
