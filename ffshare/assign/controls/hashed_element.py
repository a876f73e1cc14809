"""`hashed-element:SCHEME`: sites of the same elements and bond orders share by chance."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.contract import Scheme
from ffshare.assign.controls.allocation import Allocation, allocate, commonest_rule
from ffshare.assign.controls.control import Control, Shared, Sharing, shared_sections
from ffshare.assign.controls.environment import atom_environments, site_environments
from ffshare.assign.controls.hashed import bucket_ids, control_name
from ffshare.assign.controls.made_rules import Averages, made_rules
from ffshare.assign.controls.seen import Seen, seen_in
from ffshare.assign.controls.sizes import Size, sizes_of
from ffshare.assign.controls.strata import strata
from ffshare.assign.sites import Coded
from ffshare.data_files import checksum, data_directory
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch, read
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record
from ffshare.rules.append import with_added
from ffshare.rules.table import RuleTable
from ffshare.tying import splitmix64

# The molecules that come with ffshare, by which buckets are dealt out unless others are given.
_SHIPPED = ("fragments.smi", "drugs.smi")


@record
class _Section:
    """The buckets of one section, ready for look-up."""

    allocation: Allocation = doc("strata and their buckets")
    starts: IntArray = doc("first bucket of each stratum, shape=(n_strata + 1,)")
    table: RuleTable = doc("the buckets as rules")
    commonest: int = doc("base rule that strata without buckets have their terms from")


class HashedElementScheme(Control):
    """Sites share at random, but only with sites of their own stratum: of the same elements and bond orders.

    bucket = first bucket of the stratum + SplitMix64(key of the surroundings; seed) modulo its number of buckets

    The key is that of the surroundings up to two bonds (`environment`), so that like sites of other molecules share.
    There are as many parameters as the base defines, or exactly as many as are asked for. Strata (`strata`) are as
    narrow as that number allows, the commonest ones first, and where it is large enough, chance decides within them
    (`allocation`). A bucket has the mean values of the base rules that win in its stratum, weighted by their sites,
    of torsions over terms of the same periodicity, phase and idivf.

    A site of a stratum that has no bucket and no pool gets a rule of its stratum, named ``b:C-N-Si:2-2``, with the mean
    values of the section: a fall-back, and listed as such.

    Example:
        >>> import ffshare
        >>> molecules = ffshare.from_smiles("CCO", "CC=O", "CN")
        >>> scheme = HashedElementScheme(ffshare.load_scheme("openff-2.2.1"), {"Bonds": 12}, molecules=molecules)
        >>> scheme.tables["Bonds"].patterns
        ('C-O:4', 'C-N:2', 'C-C:2', 'X-X:2', 'H-N:2', 'H-C:2')
    """

    _reason = "bucket drawn from the surroundings, of those for these elements and bond orders"

    def __init__(
        self,
        base: Scheme,
        n_parameters: Mapping[str, int] | None = None,
        seed: int = 0,
        n_rules: Mapping[str, int] | None = None,
        molecules: GraphBatch | None = None,
    ) -> None:
        """The scheme that knows elements and bond orders, and shares at random beyond them.

        Args:
            base: The scheme whose sites and numbers of parameters it takes.
            n_parameters: Parameters of a section where they are not to be as many as the base defines.
            seed: Another seed gives an independent sharing.
            n_rules: The same as a number of rules, each with all its parameters.
            molecules: Molecules that show which strata are common and which base rules win there; by default the drugs
                and fragments that come with ffshare.

        Raises:
            SchemeError: A section cannot have that many, or the base has no rules.
        """
        super().__init__(control_name("hashed-element", base, seed, n_parameters, n_rules), base)
        self.seed = seed
        tables = shared_sections(base)
        sizes = sizes_of(base.name, tables, n_parameters, n_rules)
        if not any(size.total for size in sizes.values()):
            raise SchemeError(f"{base.name} defines no rules that buckets could have the terms of; take another scheme")
        shipped = [] if molecules is not None else [data_directory("molecules") / name for name in _SHIPPED]
        self._files = {str(path): checksum(path) for path in shipped}
        batch = read(*shipped) if molecules is None else molecules
        given = base.assign(batch).sites
        seen = {section: seen_in(batch, given[section], section, len(table)) for section, table in tables.items()}
        self._sections = {section: _section(table, seen[section], sizes[section]) for section, table in tables.items()}

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """The buckets by section; the pattern of a bucket is its stratum."""
        return {section: of_section.table for section, of_section in self._sections.items()}

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file that the scheme was made from, by path."""
        return {**self.base.checksums, **self._files}

    def _sharing(self, batch: GraphBatch) -> Sharing:
        environments = atom_environments(batch)

        def share(section: str, atoms: IntArray, rules: IntArray, table: RuleTable) -> Shared:
            found = self._sections[section]
            with_rule = np.flatnonzero(rules >= 0)
            if found.commonest < 0 and len(with_rule):
                raise SchemeError(f"{self.name} has no buckets in {section}, where {self.base.name} defines no rule")
            atoms = atoms[with_rule]
            places = _places(batch, atoms, section, found.allocation)
            keys = splitmix64(site_environments(batch, environments, atoms, section), self.seed)
            ranks = (keys % found.allocation.counts[places].astype(np.uint64)).astype(np.int64)
            placed = np.full(len(rules), -1)
            placed[with_rule] = found.starts[places] + ranks
            unknown = places < 0
            if not unknown.any():
                return Shared(rule_idxs=placed, table=found.table)
            narrow = strata(batch, atoms[unknown], section, level=0)
            names = [narrow.name(site) for site in range(len(narrow.keys))]
            return _with_own_rules(placed, with_rule[unknown], names, found, self.base.tables[section])

        return share


def _places(batch: GraphBatch, atoms: IntArray, section: str, allocation: Allocation) -> IntArray:
    """The narrowest stratum with buckets that each site belongs to, −1 where there is none."""
    places = np.full(len(atoms), -1)
    for level in allocation.levels:
        keys = strata(batch, atoms, section, level).keys
        found = np.minimum(np.searchsorted(allocation.keys, keys), len(allocation.keys) - 1)
        places = np.where((places < 0) & (allocation.keys[found] == keys), found, places)
    return places


def _with_own_rules(rules: IntArray, unknown: IntArray, names: list[str], found: _Section, base: RuleTable) -> Shared:
    """Rules of their own for the strata that have no buckets."""
    ids = sorted(set(names))
    place_of = {name: place for place, name in enumerate(ids)}
    numbers = np.array([place_of[name] for name in names], dtype=np.int64)
    rules[unknown] = len(found.table) + numbers
    wins = found.allocation.wins
    averages = Averages(
        made_groups=np.zeros(len(ids), dtype=np.int64),
        groups=np.zeros_like(wins.rules),
        rules=wins.rules,
        weights=wins.n_sites.astype(np.float64),
    )
    terms = np.full(len(ids), found.commonest)
    added = made_rules(base, terms, [f"b:{name}" for name in ids], ids, averages)
    texts = tuple(f"no bucket for {name}: mean of {base.section}" for name in ids)
    idxs = np.full(len(rules), -1)
    idxs[unknown] = numbers
    return Shared(rule_idxs=rules, table=with_added(found.table, added), fallbacks=Coded(idxs=idxs, texts=texts))


def _section(table: RuleTable, seen: Seen, size: Size) -> _Section:
    """The buckets of one section."""
    allocation = allocate(seen, size)
    wins, names = allocation.wins, np.repeat(np.arange(len(allocation.keys)), allocation.counts)
    averages = Averages(
        made_groups=names, groups=wins.strata, rules=wins.rules, weights=wins.n_sites.astype(np.float64)
    )
    patterns = [allocation.names[stratum] for stratum in names.tolist()]
    return _Section(
        allocation=allocation,
        starts=offsets_of(allocation.counts),
        table=made_rules(table, allocation.rules, bucket_ids(len(names)), patterns, averages),
        commonest=commonest_rule(seen, size),
    )
