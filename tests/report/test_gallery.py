"""The gallery is one page that needs nothing else, on which every claim is shown and all text is escaped."""

import math
from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from ffshare.errors import MissingDependencyError, OutputError
from ffshare.report import Exhibit, check_gallery, gallery, gallery_page, with_spread, write_gallery

PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg"><text>caf\xc3\xa9</text></svg>'
HOSTILE = "<script>alert('1')</script> & \"quoted\" {{ version }}"
VOID = {"meta", "link", "img"}


@dataclass
class Claim:
    claim: str
    passed: bool = True
    expected: float | str = 0.5
    tolerance: float = 0.02
    measured: float = 0.49
    error: float | None = 0.01


@dataclass
class Subject:
    number: int
    title: str = "Things"
    claim: str = "it grows"
    name: str = "things"


@dataclass
class Curve:
    label: str


@dataclass
class Panel:
    title: str = "growth"
    x_label: str = "step"
    y_label: str = "size"
    series: list = field(default_factory=lambda: [Curve("seen"), Curve("")])


@dataclass
class Findings:
    checks: list
    panels: list
    remarks: tuple


class Page(HTMLParser):
    """Elements of a page in their order, as (name, attributes, text), and whether all are closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for place in self.open:
            self.elements[place][2].append(data)

    def texts(self, *tags):
        return [" ".join("".join(text).split()) for tag, _, text in self.elements if tag in tags]

    def attributes(self, name):
        return [attributes[name] for _, attributes, _ in self.elements if name in attributes]


@pytest.fixture(autouse=True)
def _has_templates():
    pytest.importorskip("jinja2")


def page_of(*exhibits, quick=False):
    return gallery_page(exhibits, version="1.2.3", quick=quick)


def exhibit(number=1, *checks, remarks=(), panels=None, **subject):
    findings = Findings(checks=list(checks) or [Claim("it holds")], panels=panels or [Panel()], remarks=remarks)
    return Exhibit(subject=Subject(number, **subject), findings=findings, picture=PICTURE)


def test_every_check_is_a_row_and_the_failed_one_is_marked_in_words():
    checks = (Claim("it holds"), Claim("it fails", passed=False, expected="≤ 1e-06", tolerance=0.0, error=None))
    page = Page(page_of(exhibit(1, *checks)))
    rows = page.texts("tr")[1:]
    assert rows == ["It holds.0.5 ± 0.020.49 ± 0.01 ✓ holds", "It fails.≤ 1e-060.49 ✗ failed"]
    assert page.texts("strong") == ["1 of 2 claims hold, 1 failed."]
    assert "(1) Things: 1 of 2 hold, 1 failed" in page.texts("li")


def test_titles_claims_remarks_and_labels_are_escaped():
    panel = Panel(title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE, series=[Curve(HOSTILE)])
    one = exhibit(1, Claim(HOSTILE, expected=HOSTILE), remarks=(HOSTILE,), panels=[panel], title=HOSTILE, claim=HOSTILE)
    text = page_of(one)
    page = Page(text)
    assert "<script" not in text
    assert f"(1) {HOSTILE}" in page.texts("h2")
    assert HOSTILE in page.texts("li")
    assert any(HOSTILE in cell for cell in page.texts("th"))
    assert any(HOSTILE in alternative for alternative in page.attributes("alt"))


def test_nothing_is_fetched_and_there_is_no_script():
    page = Page(page_of(exhibit(1), exhibit(2)))
    assert all(address.startswith(("data:", "#")) for name in ("src", "href") for address in page.attributes(name))
    assert not {"script", "iframe", "object", "embed", "base", "form"} & {tag for tag, _, _ in page.elements}
    assert not any(name.startswith("on") for _, attributes, _ in page.elements for name in attributes)
    [style] = page.texts("style")
    assert "url(" not in style
    assert "@import" not in style
    assert any("default-src 'none'" in content for content in page.attributes("content"))


def test_links_of_the_contents_lead_to_sections():
    page = Page(page_of(exhibit(1), exhibit(8)))
    ids = page.attributes("id")
    assert len(set(ids)) == len(ids)
    links = [address for address in page.attributes("href") if address.startswith("#")]
    assert links == ["#system-1", "#system-8"]
    assert {*(link[1:] for link in links), *page.attributes("aria-labelledby")} <= set(ids)


def test_a_picture_is_embedded_whole_and_told_in_words():
    panels = [Panel(), Panel(title="kinds", x_label="", y_label="error [%]", series=[])]
    page = Page(page_of(exhibit(panels=panels)))
    [address] = page.attributes("src")
    assert b64decode(address.removeprefix("data:image/svg+xml;base64,")) == PICTURE
    assert page.attributes("alt") == [
        "growth: size against step (seen); kinds: error [%]. The numbers are in the table below."
    ]


def test_headings_come_in_order_and_headers_of_tables_have_a_scope():
    page = Page(page_of(exhibit(1, remarks=("Well.",)), exhibit(2)))
    levels = [int(tag[1]) for tag, _, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert levels == [1, 2, 2, 3, 2]
    assert {attributes.get("scope") for tag, attributes, _ in page.elements if tag == "th"} == {"col", "row"}
    assert page.open == []
    assert page.attributes("lang") == ["en"]


def test_a_page_begins_with_its_type_and_says_the_version_and_the_kind_of_run():
    for quick, words in ((True, "Quick run"), (False, "Full run")):
        text = page_of(exhibit(), quick=quick)
        assert text.startswith("<!DOCTYPE html>\n")
        assert words in text
        assert "ffshare 1.2.3" in text


def test_the_file_appears_whole_and_alone(tmp_path):
    write_gallery([exhibit()], tmp_path / "index.html", version="1.2.3", quick=True)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == page_of(exhibit(), quick=True)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"gone.index\.html"):
        write_gallery([exhibit()], tmp_path / "gone" / "index.html", version="1.2.3", quick=True)


def test_without_jinja2_the_command_that_adds_it_is_named(monkeypatch):
    monkeypatch.setattr(gallery, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "ffshare\[plot\]"'):
        check_gallery()


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.0, None, "0"),
        (-1.0, 0.05, "-1 ± 0.05"),
        (128512.0, 0.0, "128,512"),
        (1e-10, None, "1e-10"),
        (1234.5678, 1.0, "1,235 ± 1"),
        (128511.5, 0.25, "128,512 ± 0.25"),
        (math.inf, 1.0, "–"),
        (None, None, "–"),
        (1e20, None, "1e+20"),
    ],
)
def test_numbers_are_whole_or_of_four_digits(value, spread, text):
    assert with_spread(value, spread) == text
