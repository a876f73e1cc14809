"""Lint: what in a force field is never used, or does not mean what it seems to.

Each check looks at one section and reports `Finding` records. What is *proven* follows from the file alone and holds
for all molecules. Given `Observations` of some molecules, two more things are reported, which hold for these molecules
only: rules that match sites and win none (*observed*), and rules that match nothing (*not observed*).
"""

from collections.abc import Iterator

from ffshare.rules.findings import Finding, finding
from ffshare.rules.observations import Observations, RuleUse
from ffshare.rules.pattern_checks import PATTERN_CHECKS
from ffshare.rules.table import ForceField, RuleTable
from ffshare.rules.value_checks import VALUE_CHECKS

# Findings after which it is no news that a rule wins nothing.
_EXPLAINS_NO_USE = ("duplicate pattern", "overridden", "same matches", "impossible atom")


def lint(force_field: ForceField, observations: Observations | None = None) -> tuple[Finding, ...]:
    """What is wrong with the rules of a force field, or likely to be.

    Args:
        force_field: The force field, as loaded.
        observations: What its rules did on some molecules; without, only what can be proven is reported.

    Returns:
        Findings by section, then rule.

    Example:
        >>> from ffshare.rules.load import load_force_field
        >>> [(f.rule_id, f.kind, f.others) for f in lint(load_force_field("openff-2.3.0")) if f.section == "Angles"]
        [('a13a', 'overridden', ('a13',)), ('a13a', 'idle list', ()), ('a7', 'overridden', ('a7a',))]
    """
    found: list[Finding] = []
    for section, table in force_field.tables.items():
        proven = [finding for check in (*PATTERN_CHECKS, *VALUE_CHECKS) for finding in check(table)]
        if observations is not None and section in observations.uses:
            explained = {finding.rule_idx for finding in proven if finding.kind in _EXPLAINS_NO_USE}
            proven += _unused(table, observations, observations.uses[section], explained)
        found += sorted(proven, key=lambda finding: finding.rule_idx)
    return tuple(found)


def _unused(table: RuleTable, seen: Observations, use: RuleUse, explained: set[int]) -> Iterator[Finding]:
    where = f"the {seen.n_molecules} molecules of {seen.molecules}"
    for rule in range(len(table)):
        if rule in explained or use.won(rule):
            continue
        n_matched, takers = use.matched(rule), use.takers(rule)
        if n_matched:
            by = ", ".join(f"{table.ids[taker]} ({n_sites})" for taker, n_sites in takers.items())
            message = (
                f"matches {n_matched} sites in {where} and wins none of them: taken by {by}; "
                "not proven, other molecules may need it"
            )
            yield finding(table, rule, "overridden", message, tuple(takers), certainty="observed")
        else:
            message = f"matches nothing in {where}; other molecules may need it: they say nothing about its parameters"
            yield finding(table, rule, "never matched", message, certainty="not observed")
