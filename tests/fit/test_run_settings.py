"""Settings of a run: the file that explains them, and what is said of a file with faults."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.errors import InputError
from ffshare.fit import (
    FitSettings,
    IdentifiabilitySettings,
    Priors,
    RunSettings,
    SolverSettings,
    Weights,
    parse_settings,
    read_settings,
    settings_text,
)
from ffshare.fit.run.soft_ties import CANDIDATES


def fields(instance):
    return {name: getattr(instance, name) for name in type(instance).__dataclass_fields__}


def test_the_file_that_is_written_says_the_defaults_and_all_of_them():
    assert parse_settings(settings_text(), "run.yaml") == RunSettings()

    def keys(tree):
        return {key: keys(value) if isinstance(value, dict) else None for key, value in tree.items()}

    assert keys(yaml.safe_load(settings_text())) == keys(RunSettings().model_dump())


def test_the_defaults_are_those_of_the_records_that_the_settings_become():
    told = RunSettings()
    assert fields(told.weights.weights()) == fields(Weights())
    mine, theirs = told.fit_settings(), FitSettings()
    assert (mine.errors, mine.noise) == (theirs.errors, theirs.noise)
    assert fields(mine.solver) == fields(SolverSettings())
    assert fields(mine.identifiability) == fields(IdentifiabilitySettings())
    assert mine.priors.strength == Priors().strength
    assert mine.priors.widths == pytest.approx(Priors().widths, rel=1e-12)


def test_every_setting_is_explained():
    lines = settings_text().splitlines()
    for line, before in zip(lines[1:], lines, strict=False):
        if line.strip() and not line.lstrip().startswith("#"):
            assert before.lstrip().startswith("#"), line


def test_widths_of_angles_are_degrees_in_the_file_and_radians_in_the_fit():
    told = parse_settings("priors: {widths: {angle: 90, barrier: 2}}", "run.yaml")
    widths = told.fit_settings().priors.widths
    assert widths["angle"] == pytest.approx(math.pi / 2)
    assert widths["barrier"] == 2.0


@settings(max_examples=20, deadline=None)
@given(
    energy=st.floats(1e-300, allow_nan=False),
    tolerance=st.floats(1e-30, 0.9),
    files=st.lists(
        st.text("aZ019:#[]{}'\"\\,-?&*!|>%@` .~é°\n\tyesnou", min_size=1, max_size=12), min_size=1, max_size=3
    ),
)
def test_any_settings_come_back_from_the_file_that_is_written_of_them(energy, tolerance, files):
    told = RunSettings(
        scheme=tuple(files),
        reference={"files": files},
        weights={"energy": energy},
        identifiability={"tolerance": tolerance},
        output=files[0],
    )
    assert parse_settings(settings_text(settings=told), "run.yaml") == told


def test_one_text_stands_for_a_list_of_one():
    short = parse_settings("scheme: gaff2\nreference: a.parquet\nsections: Bonds\nfixed: b1.k", "run.yaml")
    long = "scheme: [gaff2]\nreference: {files: [a.parquet]}\nsections: [Bonds]\nfixed: [b1.k]"
    assert short == parse_settings(long, "run.yaml")


@pytest.mark.parametrize(("text", "strength"), [("choose", "choose"), ("0", 0.0), ("2.5", 2.5)])
def test_the_strength_of_soft_ties_is_a_number_or_left_to_the_data(text, strength):
    told = parse_settings(f"soft_ties: {{strength: {text}}}", "run.yaml")
    assert told.soft_ties.strength == strength
    assert parse_settings(settings_text(settings=told), "run.yaml") == told
    assert f"  strength: {strength}\n" in settings_text(settings=told)
    other = RunSettings(soft_ties={"strength": 1.0})
    assert told.differences(other) == [f"soft_ties.strength: {strength} here, 1.0 there"]


def test_the_file_names_the_strengths_that_are_tried():
    text = " ".join(line.strip("# ") for line in settings_text().splitlines())
    assert f"choose: the one of {', '.join(f'{strength:g}' for strength in CANDIDATES)} whose fits do best" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "weights:\n  enrgy: 3",
            r"run.yaml: line 2: weights.enrgy: there is no such setting; did you mean weights.energy",
        ),
        ("softening: 3", r"line 1: softening: there is no such setting; did you mean weights.softening\?"),
        ("quux: 3", r"quux: there is no such setting; settings are scheme, mode, "),
        ("weights: {force: 0}", r"line 1: weights.force: is 0; expected greater than 0"),
        ("weights: {force: .nan}", r"weights.force: is nan; expected greater than 0"),
        ("weights: {force: many}", r"weights.force: is 'many'; expected a valid number"),
        ("weights: {force: true}", r"weights.force: is True; expected a number, not true"),
        ("soft_ties: {strength: -1}", r"line 1: soft_ties.strength: is -1; expected a number from 0 up, or choose"),
        ("soft_ties: {strength: chose}", r"soft_ties.strength: is 'chose'; expected a number from 0 up, or choose"),
        ("soft_ties: {strength: true}", r"soft_ties.strength: is True; expected a number from 0 up, or choose"),
        ("soft_ties: {strength: .inf}", r"soft_ties.strength: is inf; expected a number from 0 up, or choose"),
        ("charges: am1", r"charges: is 'am1'; expected 'reference', 'openff', "),
        ("sections: [Bonds, vdW]", r"line 1: sections.1: is 'vdW'; expected 'Bonds', 'Angles'"),
        ("solver:", r"solver: is empty; expected settings, indented below it"),
        ("scheme: 3", r"scheme: is 3; expected one entry or a list"),
        ("scheme: a\nscheme: b", r"line 2: scheme: stands in line 1 already; expected once"),
        ("reference: {most_molecules: 0}", r"reference.most_molecules: is 0; expected greater than or equal to 1"),
        ("", r"expected settings such as"),
        ("- a", r"expected settings such as"),
        ("a: [", r"run.yaml: no YAML: "),
        ("a: !!python/object/apply:os.getcwd []", r"run.yaml: no YAML: could not determine a constructor"),
    ],
)
def test_a_fault_names_its_line_its_key_and_what_is_expected(text, message):
    with pytest.raises(InputError, match=message):
        parse_settings(text, "run.yaml")


def test_all_faults_are_listed_in_the_order_of_the_file():
    with pytest.raises(InputError, match=r"3 faults\n  line 1: a: .*\n  line 2: weights.force.*\n  line 3: solver.b"):
        parse_settings("a: 1\nweights: {force: -1}\nsolver: {b: 2}", "run.yaml")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file or directory; `ffshare init "):
        read_settings(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8 text"):
        read_settings(tmp_path / "binary.yaml")


def test_differences_name_settings_and_both_values_but_not_the_folder():
    one = RunSettings(output="a")
    other = RunSettings(output="b", weights={"force": 2.0}, priors={"widths": {"length": 0.2}})
    assert one.differences(other) == ["weights.force: 5.0 here, 2.0 there", "priors.widths.length: 0.1 here, 0.2 there"]
    assert one.differences(RunSettings(output="b")) == []
