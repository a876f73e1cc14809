"""The page on layers is run as a session."""

import doctest
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "layers.md"


def test_the_session_of_the_page_gives_what_it_shows():
    text = PAGE.read_text(encoding="utf-8")
    session = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(session, {}, PAGE.name, str(PAGE), 0))
    assert runner.summarize(verbose=False).attempted > 8
    assert runner.failures == 0
