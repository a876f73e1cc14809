"""The script that writes the pages of the experiments keeps every number in one place and notices what is stale."""

import importlib
import json
import sys
from pathlib import Path

import pytest

MARKS = "<!-- experiments: made by scripts/make_reproduction.py -->\nold\n<!-- end of experiments -->"
HEAD = "<!-- head: made by scripts/make_reproduction.py -->\n<!-- end of head -->"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    yield importlib.import_module("make_reproduction")
    sys.modules.pop("make_reproduction", None)


def outcome(number, name, passed=True):
    check = {
        "system": name,
        "claim": "it grows | a lot",
        "expected": 128512.0,
        "tolerance": 0.5,
        "measured": 128511.5,
        "error": 0.25,
        "passed": passed,
    }
    return {
        "number": number,
        "name": name,
        "title": f"Title of {name}",
        "claim": f"{name} is shared",
        "checks": [check],
        "remarks": [f"A remark on {name}."],
        "cpu_seconds": 30,
        "versions": {"ffshare": "1.2.3"},
    }


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs" / "reproduction"
    folder.mkdir(parents=True)
    (tmp_path / "docs" / "reproduction.md").write_text(f"Before.\n\n{MARKS}\n\nAfter.\n", encoding="utf-8")
    for each in (outcome(2, "two", passed=False), outcome(1, "one")):
        (folder / f"{each['name']}.json").write_text(json.dumps(each), encoding="utf-8")
        (folder / f"{each['name']}.svg").write_text("<svg/>", encoding="utf-8")
        (folder / f"{each['name']}.md").write_text(f"{HEAD}\n\nBy hand.\n\n{MARKS}\n\nAfter.\n", encoding="utf-8")
    return tmp_path / "docs"


def test_pages_that_were_written_are_those_of_the_outcomes(script, docs, capsys):
    assert script.main(["--check"], docs) == 1
    stale = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in stale] == [
        "docs/reproduction.md",
        "docs/reproduction/one.md",
        "docs/reproduction/two.md",
    ]
    assert script.main(["--tables"], docs) == 0
    assert script.main(["--check"], docs) == 0
    assert capsys.readouterr().out == ""


def test_a_page_keeps_what_is_written_by_hand_and_shows_its_outcome(script, docs):
    script.main(["--tables"], docs)
    text = (docs / "reproduction" / "two.md").read_text(encoding="utf-8")
    assert [text.count(each) for each in ("By hand.", "After.", "old")] == [1, 1, 0]
    for part in (
        "# (2) Title of two",
        "**Two is shared.**",
        "| It grows \\| a lot. | 128,512 ± 0.5 | 128,512 ± 0.25 | **failed** |",
        "![Title of two](two.svg)",
        "- A remark on two.",
        "30 s of one core (ffshare 1.2.3).",
    ):
        assert text.count(part) == 1


def test_the_overview_has_a_row_for_each_system_by_number_and_the_sum(script, docs):
    script.main(["--tables"], docs)
    lines = (docs / "reproduction.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith(("| 1", "| 2"))]
    assert rows == [
        "| 1 | [Title of one](reproduction/one.md) | One is shared. | 1 of 1 | 30 |",
        "| 2 | [Title of two](reproduction/two.md) | Two is shared. | **0 of 1** | 30 |",
    ]
    assert "1 of 2 claims of 2 systems hold; 1 minutes of one core in all (ffshare 1.2.3)." in lines
    assert [line in lines for line in ("Before.", "After.", "old")] == [True, True, False]


@pytest.mark.parametrize("kind", ["json", "md", "svg"])
def test_a_system_that_lacks_its_page_outcome_or_figure_is_an_error(script, docs, kind):
    (docs / "reproduction" / f"two.{kind}").unlink()
    for argument in ("--check", "--tables"):
        with pytest.raises(SystemExit, match=rf"^docs/reproduction/two\.{kind}: missing"):
            script.main([argument], docs)


def test_a_page_without_marks_is_an_error(script, docs):
    (docs / "reproduction" / "one.md").write_text("Nothing.", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"one\.md lacks the marks"):
        script.main(["--tables"], docs)


def test_counts_are_kept_whole_and_other_numbers_to_four_digits(script):
    check = {"claim": "it grows", "expected": "≥ 2", "measured": 169472.0, "error": 0.123456, "passed": True}
    assert script.rounded(check) == check | {"error": 0.1235}
