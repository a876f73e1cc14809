"""What rules did on real molecules: which of them matched a site, and which of them won it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.records import doc, freeze_arrays, record

IntArray = NDArray[np.int64]


@record
class RuleUse:
    """Of the sites that each rule of a section matched, how many each rule won: the entries of a sparse table."""

    rules: IntArray = doc("rule that matched, an index into the rules of the section, ascending, shape=(n_entries,)")
    winners: IntArray = doc("rule that won, the last that matched, ascending within a rule, shape=(n_entries,)")
    n_sites: IntArray = doc("number of sites, shape=(n_entries,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, rules=np.int64, winners=np.int64, n_sites=np.int64)

    def matched(self, rule: int) -> int:
        """Number of sites that a rule matched."""
        return int(self.n_sites[self.rules == rule].sum())

    def won(self, rule: int) -> int:
        """Number of sites that a rule won."""
        return int(self.n_sites[(self.rules == rule) & (self.winners == rule)].sum())

    def takers(self, rule: int) -> dict[int, int]:
        """Later rules that won sites which a rule matched, with the number of these sites, most first."""
        entries = np.flatnonzero((self.rules == rule) & (self.winners != rule))
        order = entries[np.argsort(-self.n_sites[entries], kind="stable")]
        return dict(zip(self.winners[order].tolist(), self.n_sites[order].tolist(), strict=True))


@record
class Observations:
    """What the rules of a force field did on some molecules."""

    molecules: str = doc("what the molecules are, for messages: the name of their file")
    n_molecules: int = doc("number of molecules")
    uses: Mapping[str, RuleUse] = doc("use of the rules by section; sections without an entry were not looked at")


def rule_use(sites: IntArray, rules: IntArray) -> RuleUse:
    """The use of rules from all their matches.

    Args:
        sites: Site of each match, any numbers that tell sites apart, shape=(n_matches,).
        rules: Rule of each match, shape=(n_matches,). The highest of a site wins it.

    Returns:
        The table. A rule that matches a site several times counts once there.

    Example:
        >>> use = rule_use(np.array([0, 0, 1, 2]), np.array([0, 2, 0, 2]))
        >>> use.matched(0), use.won(0), use.takers(0)
        (2, 1, {2: 1})
    """
    pairs = np.unique(np.stack([sites, rules], axis=1), axis=0)
    # Sorted by site and rule: the last match of a site is that of its winner.
    ends = np.flatnonzero(np.append(np.diff(pairs[:, 0]) != 0, True)[: len(pairs)])
    winners = np.repeat(pairs[ends, 1], np.diff(np.append(-1, ends)))
    return _counted(pairs[:, 1], winners, np.ones(len(pairs), dtype=np.int64))


def merged(parts: Iterable[Observations]) -> Observations:
    """The observations of several batches of the same molecules as one.

    Args:
        parts: Observations of the same force field, at least one.

    Returns:
        Their sum, under the name of the first.
    """
    parts = list(parts)
    sections = dict.fromkeys(section for part in parts for section in part.uses)
    uses = {section: [part.uses[section] for part in parts if section in part.uses] for section in sections}
    return Observations(
        molecules=parts[0].molecules,
        n_molecules=sum(part.n_molecules for part in parts),
        uses={
            section: _counted(
                np.concatenate([use.rules for use in found]),
                np.concatenate([use.winners for use in found]),
                np.concatenate([use.n_sites for use in found]),
            )
            for section, found in uses.items()
        },
    )


def _counted(rules: IntArray, winners: IntArray, n_sites: IntArray) -> RuleUse:
    pairs, inverse = np.unique(np.stack([rules, winners], axis=1), axis=0, return_inverse=True)
    counts = np.bincount(inverse.ravel(), weights=n_sites, minlength=len(pairs))
    return RuleUse(rules=pairs[:, 0], winners=pairs[:, 1], n_sites=counts.astype(np.int64))
