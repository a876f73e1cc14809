"""The gallery of `ffshare nn reproduce`: claims, measurements and pictures on one page that needs nothing else.

The page opens from a mail: its style is within, pictures are embedded as data, and there is no script. All text is
escaped. Whether a claim holds is said in words, not by colour alone; the page follows the reader's choice of a dark or
light screen, pictures keep their white ground, and what is wider than the screen scrolls by itself.
"""

import math
from base64 import b64encode
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ffshare.errors import MissingDependencyError
from ffshare.records import doc, record
from ffshare.report.panels import Axes
from ffshare.whole_files import writing

_TEMPLATE = "gallery.html.j2"
_LARGEST_WHOLE = 1e15
"""Above it, digits of a whole number are of the float and not of what was counted."""


class Claim(Protocol):
    """A claim and what was measured of it: what `write_gallery` needs to know of it."""

    @property
    def claim(self) -> str:
        """What is claimed."""
        ...

    @property
    def expected(self) -> float | str:
        """The number expected, or a bound in words."""
        ...

    @property
    def tolerance(self) -> float:
        """By how much the measurement may differ from the number; 0 for a bound."""
        ...

    @property
    def measured(self) -> float:
        """What was measured."""
        ...

    @property
    def error(self) -> float | None:
        """Standard error of what was measured."""
        ...

    @property
    def passed(self) -> bool:
        """Whether it is as expected."""
        ...


class Subject(Protocol):
    """What a section is about."""

    @property
    def number(self) -> int:
        """Its number."""
        ...

    @property
    def name(self) -> str:
        """Its name, different from all others."""
        ...

    @property
    def title(self) -> str:
        """Its title."""
        ...

    @property
    def claim(self) -> str:
        """What is claimed of it, in a sentence without its stop."""
        ...


class Findings(Protocol):
    """What was found of a subject."""

    @property
    def checks(self) -> Sequence[Claim]:
        """The claims, in the order in which they are shown."""
        ...

    @property
    def panels(self) -> Sequence[Axes]:
        """What the picture shows."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """What is to be said beside the numbers."""
        ...


@record
class Exhibit:
    """One section of a gallery."""

    subject: Subject = doc("what it is about")
    findings: Findings = doc("what was found of it")
    picture: bytes = doc("the panels, drawn as SVG")

    @property
    def n_held(self) -> int:
        """Number of claims that hold."""
        return sum(check.passed for check in self.findings.checks)

    @property
    def n_checks(self) -> int:
        """Number of claims."""
        return len(self.findings.checks)

    @property
    def picture_address(self) -> str:
        """The picture as an address that holds it whole."""
        return f"data:image/svg+xml;base64,{b64encode(self.picture).decode('ascii')}"

    @property
    def picture_in_words(self) -> str:
        """What the picture shows, for those who do not see it."""
        return "; ".join(map(_in_words, self.findings.panels)) + ". The numbers are in the table below."


def check_gallery() -> None:
    """Refuse a gallery that could not be written, before any work is done for it.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise MissingDependencyError('a gallery needs jinja2, which is not installed; run: pip install "ffshare[plot]"')


def write_gallery(exhibits: Sequence[Exhibit], path: Path, *, version: str, quick: bool) -> None:
    """Write the gallery. The file appears whole or not at all.

    Args:
        exhibits: Its sections.
        path: File to write.
        version: Version of the program.
        quick: Whether the findings are those of a quick run.

    Raises:
        MissingDependencyError: jinja2 is not installed.
        OutputError: The file cannot be written.
    """
    page = gallery_page(exhibits, version=version, quick=quick)
    with writing(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def gallery_page(exhibits: Sequence[Exhibit], *, version: str, quick: bool) -> str:
    """The gallery as HTML.

    Args:
        exhibits: Its sections.
        version: Version of the program.
        quick: Whether the findings are those of a quick run.

    Returns:
        The page. The same findings give the same page.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    check_gallery()
    import jinja2

    # All text is escaped; a name that the template does not find is an error and not an empty place.
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"sentence": sentence, "with_spread": with_spread}
    text = resources.files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        exhibits=exhibits,
        n_held=sum(exhibit.n_held for exhibit in exhibits),
        n_checks=sum(exhibit.n_checks for exhibit in exhibits),
        version=version,
        quick=quick,
    )


def with_spread(value: float | str | None, spread: float | None = None) -> str:
    """A number to four digits, or whole, and by how much it may be another.

    Args:
        value: The number; a bound in words is left as it is, and of what is not finite there is a dash.
        spread: Tolerance or standard error; None or 0 where there is none.

    Returns:
        The text.

    Example:
        >>> with_spread(0.50264, 0.0213), with_spread(128512.0), with_spread("≤ 1e-06"), with_spread(math.nan)
        ('0.5026 ± 0.021', '128,512', '≤ 1e-06', '–')
    """
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return "–"
    # From five digits on, four of them would be written with an exponent.
    is_written_out = abs(value) < _LARGEST_WHOLE and (abs(value) >= 1e4 or float(value).is_integer())
    return (f"{value:,.0f}" if is_written_out else f"{value:,.4g}") + (f" ± {spread:.2g}" if spread else "")


def sentence(text: str) -> str:
    """A text with a capital at its start and a stop at its end.

    Example:
        >>> sentence("it grows"), sentence("… and shrinks.")
        ('It grows.', '… and shrinks.')
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…", "?", "!")) else ".")


def _in_words(panel: Axes) -> str:
    # Bars have their names in place of an abscissa.
    kinds = [curve.label for curve in panel.series if curve.label]
    against = f" against {panel.x_label}" if panel.x_label else ""
    return f"{panel.title}: {panel.y_label}{against}" + (f" ({', '.join(kinds)})" if kinds else "")
