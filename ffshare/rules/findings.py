"""What lint reports."""

from collections.abc import Callable, Iterator
from typing import Literal

from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

Kind = Literal[
    "duplicate pattern",
    "duplicate id",
    "overridden",
    "same matches",
    "never matched",
    "impossible atom",
    "idle list",
    "ring count",
    "improper phase",
    "idivf",
    "cosmetic attribute",
    "parameter_eval",
]
Certainty = Literal["proven", "observed", "not observed"]


@record
class Finding:
    """One thing that is wrong with a rule, or likely to be."""

    section: str = doc("section of the rule")
    rule_idx: int = doc("the rule, an index into the table of the section")
    rule_id: str = doc("its id")
    line: int = doc("its line in the file, from 1; 0 where unknown")
    source: str = doc("its file")
    kind: Kind = doc("what is wrong, in two words")
    certainty: Certainty = doc("'proven' for all molecules; 'observed' or 'not observed' on those that were looked at")
    message: str = doc("what is wrong and what to do about it")
    others: tuple[str, ...] = doc(
        "ids of the other rules that it is about, such as those that override this one", default=()
    )


Check = Callable[[RuleTable], Iterator[Finding]]


def finding(
    table: RuleTable, rule: int, kind: Kind, message: str, others: tuple[int, ...] = (), certainty: Certainty = "proven"
) -> Finding:
    """A finding about one rule of a table.

    Args:
        table: The section.
        rule: The rule, an index into the table.
        kind: What is wrong, in two words.
        message: What is wrong and what to do about it.
        others: Indices of the other rules that it is about.
        certainty: How sure it is.

    Returns:
        The finding.
    """
    return Finding(
        section=table.section,
        rule_idx=rule,
        rule_id=table.ids[rule],
        line=table.lines[rule],
        source=table.sources[rule],
        kind=kind,
        certainty=certainty,
        message=message,
        others=tuple(table.ids[other] for other in others),
    )
