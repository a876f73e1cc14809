"""The pages on layers and on the systems are run as sessions, and no system lacks its page."""

import doctest
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from ffshare.nn.reproduce import SYSTEMS

DOCS = Path(__file__).resolve().parents[2] / "docs"
MOST_LINES = 20
NAMES = [system.name for system in SYSTEMS]


def page_of(name: str) -> Path:
    return DOCS / "reproduction" / f"{name}.md"


def session(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize(
    "page", [DOCS / "layers.md", DOCS / "bridge.md", *map(page_of, NAMES)], ids=lambda page: page.stem
)
def test_the_session_of_a_page_gives_what_it_shows(page):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTestParser().get_doctest(session(page), {}, page.name, str(page), 0))
    assert runner.summarize(verbose=False).attempted > 8
    assert runner.failures == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_system_is_shown_in_few_lines_of_which_some_print(name):
    lines = session(page_of(name)).splitlines()
    code = [line for line in lines if line.startswith((">>> ", "... "))]
    assert 0 < len(code) <= MOST_LINES
    assert any(line and line not in code for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_is_shared_where_it_stops_and_what_was_run(name):
    text = page_of(name).read_text(encoding="utf-8")
    for part in ("## What is shared", "## Where it stops", "**Seeds and sizes**", "## In code", "## What was found"):
        assert text.count(part) == 1


def test_every_system_has_a_page_to_which_the_overview_links():
    overview = (DOCS / "reproduction.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(reproduction/([^)]*)\.md\)", overview) == NAMES
    assert sorted(path.stem for path in (DOCS / "reproduction").glob("*.md")) == sorted(NAMES)


def test_what_is_kept_of_a_system_is_what_the_program_claims_of_it():
    for system in SYSTEMS:
        kept = json.loads((DOCS / "reproduction" / f"{system.name}.json").read_text(encoding="utf-8"))
        told = {name: kept[name] for name in ("number", "name", "title", "claim")}
        assert told == {name: getattr(system, name) for name in told}


def test_links_of_the_pages_lead_somewhere():
    for page in (DOCS / "layers.md", DOCS / "bridge.md", DOCS / "reproduction.md", *map(page_of, NAMES)):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"
