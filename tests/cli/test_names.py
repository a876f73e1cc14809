"""Names from files hold what they like: markup, tabulators, escape sequences. They break neither terminal nor files."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

NAMES = [
    "[red]bold[/red]",
    "<b>bold</b> & more",
    ":smile: 🧪 naïve 分子",
    "[/]",
    "[link=x]y",
    "%s {0} {name} \\n",
    '"quoted", and, commas',
    "=1+1",
    "'; drop table molecules; --",
    "-0-1-2",
    "right\u202eleft",
]
# In an SD file a name may hold control characters.
CONTROLS = ["bell\x07", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "tab\tstop", "back\x08space", "\x9b2J"]


def sdf(names):
    water = Chem.MolToMolBlock(Chem.MolFromSmiles("O")).partition("\n")[2]
    return "".join(f"{name}\n{water}$$$$\n" for name in names)


def has_control(text):
    return any(not char.isprintable() and char != "\n" for char in text)


@pytest.mark.parametrize(
    ("content", "file", "names"),
    [
        ("".join(f"O {name}\n" for name in NAMES), "in.smi", NAMES),
        (sdf([*NAMES, *CONTROLS]), "in.sdf", [*NAMES, *CONTROLS]),
    ],
    ids=["smi", "sdf"],
)
def test_names_come_through_as_they_are_and_nothing_controls_the_terminal(
    cli, rules, write, results, content, file, names
):
    source = write(content, file)
    for suffix in (".parquet", ".csv", ".json"):
        done = cli("assign", source, "--scheme", rules, "--out", results / f"labels{suffix}")
        assert f"{len(names)} labelled + 0 failed" in done.out
        # Each water has an angle without a rule, which is told with the name.
        assert "no rule: [red]bold[/red]: Angles 1-0-2 (H-O-H)\n" in done.err
        assert not has_control(done.out + done.err)
    expected = [name for name in names for _ in range(6)]
    assert pq.read_table(results / "labels.parquet")["molecule"].to_pylist() == expected
    assert pq.read_table(results / "labels.molecules.parquet")["molecule"].to_pylist() == names
    assert [row["molecule"] for row in json.loads((results / "labels.json").read_text())] == expected
    with open(results / "labels.csv", encoding="utf-8", newline="") as stream:
        assert [row["molecule"] for row in csv.DictReader(stream)] == expected
    shown = cli("assign", source, "--scheme", rules).out
    assert [row["molecule"] for row in csv.DictReader(io.StringIO(shown, newline=""))] == expected


def test_names_of_failures_are_shown_in_printable_characters(cli, rules, write, results):
    # A water whose atom count is not a number does not parse.
    source = write(sdf([*NAMES, *CONTROLS]).replace("  1  0  0", "  x  0  0"), "in.sdf")
    done = cli("assign", source, "--scheme", rules, "--out", results / "labels.csv")
    n = len(NAMES) + len(CONTROLS)
    assert f"{n} molecules read = 0 labelled + {n} failed" in done.out
    with open(results / "labels.failures.csv", encoding="utf-8", newline="") as stream:
        failures = list(csv.DictReader(stream))
    assert not any(has_control(text) for row in failures for text in row.values())
    assert [row["name"] for row in failures][:4] == NAMES[:4]
    assert r"\x1b[31mred\x1b[0m" in [row["name"] for row in failures]
    shown = cli("assign", source, "--scheme", rules).err
    assert not has_control(shown)
    assert "([red]bold[/red]): SD record does not parse" in shown


def test_arguments_with_markup_and_escapes_are_shown_as_they_are(cli, rules, tmp_path):
    done = cli("explain", "[H]C", "--scheme", rules, "--section", "[red]\x1b[31m")
    assert done.fails(r"cannot explain [red]\x1b[31m; sections of ")
    path = tmp_path / "[bold]\x1b[31m.offxml"
    path.write_bytes(rules.read_bytes())
    done = cli("explain", "[H]C", "--scheme", path)
    assert str(tmp_path / r"[bold]\x1b[31m.offxml") in done.out
    assert not has_control(done.out)


def test_rule_ids_and_patterns_are_shown_as_they_are(cli, rules, tmp_path):
    path = tmp_path / "ids.offxml"
    path.write_text(rules.read_text().replace('id="n1"', 'id="[red]:smile:[/red]"'))
    done = cli("explain", "[He]", "--scheme", path)
    assert "[red]:smile:[/red]" in done.out
    assert "[*:1]" in done.out
