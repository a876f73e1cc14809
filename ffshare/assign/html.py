"""Rows as an HTML table for notebooks: no script, no style from outside, every text escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def html_table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as a small HTML table.

    Args:
        title: Caption.
        rows: Cells by column name.

    Returns:
        HTML.

    Example:
        >>> html_table("<t>", [{"a": 1}])
        '<table><caption>&lt;t&gt;</caption><tr><th>a</th></tr><tr><td>1</td></tr></table>'
    """
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in (rows[0] if rows else ()))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(cell))}</td>" for cell in row.values()) + "</tr>" for row in rows
    )
    return f"<table><caption>{escape(title)}</caption><tr>{heads}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
