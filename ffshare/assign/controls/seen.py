"""What the base does in some molecules: which of its rules wins how often in which stratum."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.controls.orient import centre_second
from ffshare.assign.controls.refine import Keys
from ffshare.assign.controls.strata import N_LEVELS, Strata, everything, strata
from ffshare.assign.sites import Sites
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class Seen:
    """How often each rule of the base wins in each stratum of one section, in some molecules."""

    keys: Keys = doc("key of the stratum at each level, shape=(n, N_LEVELS)")
    rules: IntArray = doc("rule of the base's table, −1: one that the table does not hold, shape=(n,)")
    n_sites: IntArray = doc("sites of that stratum with that rule, shape=(n,)")
    names: Mapping[int, str] = doc("strata of all levels in words, by key")

    def __post_init__(self) -> None:
        freeze_arrays(self, keys=np.uint64, rules=np.int64, n_sites=np.int64)


def seen_in(batch: GraphBatch, sites: Sites, section: str, n_rules: int) -> Seen:
    """How often each rule wins in each stratum of a batch.

    Args:
        batch: The molecules.
        sites: Their sites of one section as the base assigns them.
        section: The section.
        n_rules: Rules that the base's own table holds; rules with higher numbers were added for these molecules.

    Returns:
        What was seen; without any site, the widest stratum with no site.
    """
    with_rule = sites.rule_idxs >= 0
    atoms, rules = centre_second(batch, sites.atom_idxs[with_rule], section), sites.rule_idxs[with_rule]
    rules = np.where(rules < n_rules, rules, -1)
    levels = [strata(batch, atoms, section, level) for level in range(N_LEVELS)]
    if not len(rules):
        widest = everything(section)
        nothing = np.zeros(1, dtype=np.int64)
        return Seen(
            keys=np.repeat(widest.keys[:, None], N_LEVELS, axis=1),
            rules=nothing - 1,
            n_sites=nothing,
            names={int(widest.keys[0]): widest.name(0)},
        )
    pairs = np.stack([levels[0].keys, rules.astype(np.uint64)])
    _, firsts, n_sites = np.unique(pairs, axis=1, return_index=True, return_counts=True)
    return Seen(
        keys=np.stack([level.keys[firsts] for level in levels], axis=1),
        rules=rules[firsts],
        n_sites=n_sites,
        names={key: name for level in levels for key, name in _names(level)},
    )


def _names(found: Strata) -> list[tuple[int, str]]:
    keys, firsts = np.unique(found.keys, return_index=True)
    return [(key, found.name(site)) for key, site in zip(keys.tolist(), firsts.tolist(), strict=True)]
