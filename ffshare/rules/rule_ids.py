"""Names for the rules of a section when a file repeats an id."""

from collections import Counter
from collections.abc import Sequence


def distinct_ids(rule_ids: Sequence[str]) -> list[str]:
    """The ids, a number after all but the first where several rules have one.

    Args:
        rule_ids: Ids of the rules of a section, in order.

    Returns:
        As many ids, none of them twice.

    Example:
        >>> distinct_ids(["n1", "n2", "n1", "n1 (2)", "n1"])
        ['n1', 'n2', 'n1 (3)', 'n1 (2)', 'n1 (4)']
    """
    taken = set(rule_ids)
    n_seen: Counter[str] = Counter()
    distinct = []
    for rule_id in rule_ids:
        name = rule_id
        n_seen[rule_id] += 1
        while n_seen[rule_id] > 1 and (name := f"{rule_id} ({n_seen[rule_id]})") in taken:
            n_seen[rule_id] += 1
        taken.add(name)
        distinct.append(name)
    return distinct
