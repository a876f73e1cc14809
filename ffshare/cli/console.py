"""What the commands show: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ffshare.cli.printable import printable

# Rows wrap at the terminal's width; in a file or a pipe they are not cut.
_PLAIN_WIDTH = 200


def results() -> Console:
    """The console on standard output."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)


def note(message: str) -> None:
    """Write a line to standard error.

    Args:
        message: The line. Markup in it is shown as it stands, since it may hold text from files.
    """
    print(printable(message), file=sys.stderr)


def print_json(value: Any) -> None:
    """Write a value as JSON to standard output.

    Args:
        value: Dictionaries, lists, numbers and texts.
    """
    print(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(title: str, rows: Sequence[Mapping[str, Any]], heads: Mapping[str, str]) -> None:
    """Write rows as a table to standard output.

    Args:
        title: Caption.
        rows: Cells by key.
        heads: Heading of each key to show, in order.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key, head in heads.items():
        numeric = all(isinstance(row[key], int | float | None) for row in rows)
        table.add_column(Text(head), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(row[key]))) for key in heads))
    console = results()
    # Not as the table's own title, which would wrap at the width of the table.
    console.print(Text(printable(title), style="bold"), soft_wrap=True)
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def progress_bar(label: str, what: str = "molecules") -> Progress:
    """A bar on standard error that counts molecules, shown on a terminal only.

    Args:
        label: What is being done.
        what: What is counted.

    Returns:
        A context manager with one task, of id 0, to `advance`.
    """
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
        redirect_stdout=False,  # where standard output is a file, results belong there and not above the bar
    )
    bar.add_task(label, total=None)
    return bar
