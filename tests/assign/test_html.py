"""Tables for notebooks hold the cells they are given, as text and nothing else."""

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.html import html_table
from tests.assign.samples import scheme_of


class Reader(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.append(tag)
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


# A parser takes carriage returns for line ends and leaves null characters out.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20)


@settings(max_examples=40)
@given(title=texts, heads=st.lists(texts, min_size=1, max_size=3, unique=True), data=st.data())
def test_any_text_comes_back_as_text_and_brings_no_tags(title, heads, data):
    rows = data.draw(
        st.lists(st.fixed_dictionaries(dict.fromkeys(heads, texts | st.none() | st.integers())), max_size=3)
    )
    found = read(html_table(title, rows))
    shown = list(rows[0]) if rows else []
    cells = ["" if row[head] is None else str(row[head]) for row in rows for head in shown]
    assert [text for tag, text in zip(found.tags, found.texts, strict=True) if tag == "th"] == shown
    assert [text for tag, text in zip(found.tags, found.texts, strict=True) if tag == "td"] == cells
    assert found.texts[found.tags.index("caption")] == title
    assert set(found.tags) <= {"table", "caption", "tr", "th", "td"}


def test_an_assignment_shows_its_counts_in_a_notebook():
    found = read(scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CCO"))._repr_html_())
    assert found.texts[found.tags.index("caption")] == "openff-2.2.1: 1 molecules"
    cells = [text for tag, text in zip(found.tags, found.texts, strict=True) if tag == "td"]
    assert cells[1:4] == ["Bonds", "180", "8"]
