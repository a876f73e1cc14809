"""A SMARTS or SMIRKS pattern, parsed once.

RDKit parses; here the parsed query is taken apart into what array matching needs: one query an atom, one query a bond,
the graph that joins them, the tagged atoms in the order of their tags, and the recursive parts ``$(…)`` as patterns of
their own.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from rdkit import Chem

from ffshare.errors import PatternError
from ffshare.molecules.rdkit_log import reason_of_failure
from ffshare.records import doc, record
from ffshare.smirks.conditions import Condition, parse_condition
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
    condition: Condition | None = doc("what it asks of the annotations of an atom, beside the query", default=None)


@record
class Pattern:
    """A parsed pattern. Atoms and bonds are numbered as RDKit numbers them, in the order of the text."""

    smarts: str = doc("the text, conditions in braces behind it; equal texts mean equal patterns")
    query: Chem.Mol = doc("RDKit's parsed query")
    texts: tuple[str, ...] = doc("each atom as written, without its tag")
    atoms: tuple[AtomQuery, ...] = doc("query of each atom")
    bonds: tuple[tuple[int, int, str], ...] = doc("first atom, second atom and key of the query of each bond")
    tagged: tuple[int, ...] = doc("atoms that carry tags 1, 2, …, in that order; empty without tags")
    recursive: tuple["Pattern", ...] = doc("the patterns of its recursive parts, each once")
    depth: int = doc("nesting depth of its recursive parts, 0 without")
    exact: bool = doc("whether fields and graph decide it fully; else candidates are confirmed by RDKit's matcher")
    bond_conditions: Mapping[str, Condition] = doc(
        "what is asked of the annotations of bonds of their annotations, by the keys of their queries",
        default_factory=dict,
    )


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


def with_conditions(pattern: Pattern, conditions: Mapping[str, str]) -> Pattern:
    """A pattern that asks more of its tagged atoms and the bonds between them: conditions on annotations.

    Args:
        pattern: The pattern. Its atoms and bonds must be decidable without RDKit's matcher, so no stereo.
        conditions: Text of the condition (see `ffshare.smirks.conditions`) of each atom, by its tag as ``1``, and of
            each bond, by its tags as ``1-2``.

    Returns:
        The pattern with its conditions.

    Raises:
        PatternError: A text is no condition, or the pattern lacks its atom or bond. Names all faults.

    Example:
        >>> pattern = with_conditions(parse_pattern("[#6:1]~[#7:2]"), {"1": "AR1", "2": "!RG5", "1-2": "SB"})
        >>> pattern.smarts
        '[#6:1]~[#7:2] {1: AR1, 2: !RG5, 1-2: SB}'
        >>> pattern.atoms[0].condition.text
        'AR1'
    """
    if not conditions:
        return pattern
    tags = {atom.GetIdx(): atom.GetAtomMapNum() for atom in pattern.query.GetAtoms() if atom.GetAtomMapNum()}
    atoms_of = {str(tag): atom for atom, tag in tags.items()}
    bonds_of = {
        "-".join(map(str, sorted((tags[first], tags[second])))): bond
        for bond, (first, second, _) in enumerate(pattern.bonds)
        if first in tags and second in tags
    }
    parsed: dict[str, Condition] = {}
    faults = [] if pattern.exact else ["conditions need a pattern of plain queries without stereo"]
    for name, text in conditions.items():
        if name not in atoms_of and name not in bonds_of:
            known = ", ".join([*atoms_of, *bonds_of]) or "no tags"
            faults.append(f"condition {text!r} is of {name}; the pattern has {known}")
            continue
        try:
            parsed[name] = parse_condition(text)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise PatternError(pattern.smarts, "; ".join(faults))
    atoms, bonds = list(pattern.atoms), list(pattern.bonds)
    bond_conditions: dict[str, Condition] = {}
    for name, condition in parsed.items():
        if name in atoms_of:
            query = atoms[atoms_of[name]]
            atoms[atoms_of[name]] = replace(query, key=_joint_key(query.key, condition), condition=condition)
        else:
            first, second, key = bonds[bonds_of[name]]
            bonds[bonds_of[name]] = (first, second, _joint_key(key, condition))
            bond_conditions[_joint_key(key, condition)] = condition
    described = ", ".join(f"{name}: {condition.text}" for name, condition in parsed.items())
    return replace(
        pattern,
        smarts=f"{pattern.smarts} {{{described}}}",
        atoms=tuple(atoms),
        bonds=tuple(bonds),
        bond_conditions=bond_conditions,
    )


def _joint_key(key: str, condition: Condition) -> str:
    return f"{key} {{{condition.text}}}"


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
