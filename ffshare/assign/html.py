"""Rows as an HTML table for notebooks: no script, no style from outside, every text escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def html_table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as a small HTML table, its columns in the order of the first row.

    Args:
        title: Caption.
        rows: Cells by column name; None is an empty cell.

    Returns:
        HTML.

    Example:
        >>> html_table("<t>", [{"a": 1}])
        '<table><caption>&lt;t&gt;</caption><tr><th>a</th></tr><tr><td>1</td></tr></table>'
    """
    names = list(rows[0]) if rows else []
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(_cell(row[name]))}</td>" for name in names) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{heads}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
