"""MMFF94 and MMFF94s as schemes: RDKit's types and numbers, each keyed by the row that the look-up really used."""

from collections.abc import Iterator, Mapping
from typing import Any

from ffshare.assign.assignment import Assignment
from ffshare.assign.explain import Explanation, RuleMatch
from ffshare.assign.mmff.keys import terms_of
from ffshare.assign.mmff.lookup import SectionLookup
from ffshare.assign.mmff.tables import load_tables
from ffshare.assign.mmff.typing import type_batch
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.table import RuleTable

# What RDKit calls the variants.
_VARIANTS = {"mmff94": "MMFF94", "mmff94s": "MMFF94s"}


class MmffScheme:
    """MMFF94, or MMFF94s, which makes delocalized nitrogen flat.

    The rows are those of MMFF94, also those that no molecule at hand uses; numbers of an empirical rule stand in rules
    that are added for a batch, and their sites say so. Molecules with an atom that MMFF94 has no type for keep their
    bonds, angles, torsions and atoms as sites without a rule. What it learns about keys it keeps from batch to batch;
    the rules of a molecule do not depend on it. It pickles as its name.
    """

    def __init__(self, name: str) -> None:
        """The scheme of a variant.

        Args:
            name: ``mmff94`` or ``mmff94s``.

        Raises:
            SchemeError: There is no such variant.

        Example:
            >>> import ffshare
            >>> toluene = MmffScheme("mmff94").assign(ffshare.from_smiles("Cc1ccccc1"))
            >>> toluene.tables["Bonds"].ids[toluene.sites["Bonds"].rule_idxs[0]]
            'bond:0:1-37'
        """
        self._rows = load_tables(name)
        self.name = name
        self._lookups = {section: SectionLookup(section, self._rows) for section in self._rows.tables}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """All rows by section: Bonds, Angles, StretchBends, ProperTorsions, ImproperTorsions (out of plane), vdW."""
        return self._rows.tables

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file that the rows come from, by path."""
        return self._rows.checksums

    @property
    def n_types(self) -> int:
        """Number of atom types."""
        return len(self._rows.types)

    @property
    def symbols(self) -> Mapping[int, str]:
        """Symbol of each type by its number: 37 is CB, aromatic carbon."""
        return self._rows.types.symbols

    def types(self, batch: GraphBatch) -> IntArray:
        """The type of each atom.

        Args:
            batch: The molecules.

        Returns:
            Numbers of types, 0 in molecules that MMFF94 cannot type, shape=(n_atoms,).
        """
        return type_batch(batch, _VARIANTS[self.name]).types

    def assign(self, batch: GraphBatch) -> Assignment:
        """The parameters of a batch.

        Args:
            batch: The molecules.

        Returns:
            Sites of every section with the rule of each. Of each angle there are two stretch-bends, one for each of its
            bonds (the first two atoms of the site), unless its centre is linear. Of a centre with three neighbours (the
            second atom) there are three out-of-plane bends, one for each of them (the last atom), unless MMFF94 has
            none for it. A torsion about a linear atom has a rule without numbers.
        """
        typed = type_batch(batch, _VARIANTS[self.name])
        sites, tables = {}, {}
        for section, terms in terms_of(batch, typed, self._rows.types).items():
            sites[section], tables[section] = self._lookups[section].look_up(batch, typed, terms)
        return Assignment(scheme=self.name, batch=batch, sites=sites, tables=tables)

    @property
    def explained(self) -> tuple[str, ...]:
        """Sections that it can explain."""
        return tuple(self._rows.tables)

    def explanations(self, batch: GraphBatch, section: str) -> Iterator[Explanation]:
        """The keys that were tried for each term of a section, in order.

        Args:
            batch: The molecules.
            section: One of `explained`.

        Yields:
            An explanation for each site, as the sites stand in the molecules.
        """
        typed = type_batch(batch, _VARIANTS[self.name])
        lookup = self._lookups[section]
        terms = terms_of(batch, typed, self._rows.types)[section]
        sites, table = lookup.look_up(batch, typed, terms)
        is_typed = typed.is_typed
        fields_of = {tuple(row): fields for row, fields in zip(terms.atoms.tolist(), terms.fields, strict=True)}
        assert sites.fallbacks is not None
        rows = zip(
            sites.atom_idxs.tolist(),
            batch.local_idxs(sites.atom_idxs).tolist(),
            sites.molecule_idxs.tolist(),
            sites.rule_idxs.tolist(),
            sites.fallbacks.idxs.tolist(),
            strict=True,
        )
        for atoms, local, molecule, rule, text in rows:
            matches = []
            if is_typed[molecule]:
                for tried, row in zip(*lookup.tried(fields_of[tuple(atoms)]), strict=True):
                    reason = "no row has this key" if row < 0 else "first key that a row has"
                    matches.append(_match(table, row, tried, row == rule, reason))
            if text >= 0:
                matches.append(_match(table, rule, table.ids[rule], True, sites.fallbacks.texts[text]))
            yield Explanation(molecule_idx=molecule, section=section, atoms=tuple(local), matches=tuple(matches))


def _match(table: RuleTable, rule: int, rule_id: str, wins: bool, reason: str) -> RuleMatch:
    return RuleMatch(
        rule_idx=rule,
        rule_id=rule_id,
        pattern=rule_id,
        line=table.lines[rule] if rule >= 0 else 0,
        wins=wins,
        reason=reason,
    )
