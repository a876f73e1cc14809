"""README and docs are run: console lines as commands, Python as a session, and the outputs must be those they show."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))


def blocks(language: str, page: Path = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def console_examples() -> list[tuple[str, str]]:
    """Command and expected output of each line that starts with a dollar sign."""
    found = []
    for block in (block for page in PAGES for block in blocks("console", page)):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def plain(text: str) -> list[str]:
    """Lines without trailing blanks and without empty lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone, as far as the examples look at it, in which they may write."""
    where = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "molecules", where / "molecules")
    return where


@pytest.mark.parametrize(("command", "output"), console_examples(), ids=lambda text: text[:40])
def test_a_command_prints_what_the_page_shows(command: str, output: str, folder: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, check=True)
    assert plain(output)
    assert plain(done.stdout.decode("utf-8")) == plain(output)


def test_the_python_session_of_the_readme_gives_what_it_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    text = "\n".join(blocks("python"))
    runner.run(doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0))
    assert runner.summarize(verbose=False).attempted > 5
    assert runner.failures == 0


def test_the_readme_shows_the_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    for script in ("scripts/quickstart", "scripts/test"):
        assert script in text
        assert os.access(ROOT / script, os.X_OK)


def test_the_headline_table_holds_the_numbers_that_its_script_finds() -> None:
    command = [sys.executable, "scripts/make_headline.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("the numbers hold\n", 0)


def test_the_tables_of_the_comparison_are_those_of_the_outcomes_that_are_kept() -> None:
    command = [sys.executable, "scripts/make_comparison.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_tables_of_the_experiments_are_those_of_the_outcomes_that_are_kept() -> None:
    command = [sys.executable, "scripts/make_reproduction.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
