"""`ffshare nn reproduce`: what it prints and writes, and how it ends where a claim fails."""

import json
import sys

import pytest

torch = pytest.importorskip("torch")

from ffshare import __version__  # noqa: E402
from ffshare.cli import main  # noqa: E402
from ffshare.nn.reproduce import SYSTEMS, Outcome, Panel, Series, System, at_most, near, systems  # noqa: E402

KEYS = {"system", "claim", "expected", "tolerance", "measured", "error", "passed"}


def system(number: int, *checks, remarks=()) -> System:
    panel = Panel(
        title="growth",
        x_label="step",
        y_label="size",
        y_scale="log",
        series=(Series(label="seen", x=[1.0, 2.0], y=[3.0, 9.0], error=[0.1, 0.2]),),
    )
    bars = Panel(
        title="kinds",
        x_label="",
        y_label="error [%]",
        series=(Series(label="a", x=["one", "two"], y=[1.0, 2.0], style="bars"),),
    )
    outcome = Outcome(checks=tuple(checks), panels=(panel, bars), remarks=remarks)
    return System(number=number, name=f"s{number}", title="Things", claim="it grows", experiment=lambda quick: outcome)


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ffshare", "nn", "reproduce", *arguments])
    try:
        main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def two(monkeypatch):
    holds = near("the slope is a half", 0.5, 0.49, 0.02, error=0.01)
    fails = at_most("nothing is left", 1e-6, 0.5)
    table = (system(1, holds, remarks=("Words were too strong.",)), system(2, holds, fails))
    monkeypatch.setattr(systems, "SYSTEMS", table)
    return table


def test_claims_that_hold_are_shown_with_what_was_expected(two, monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "s1")
    assert status == 0
    for text in ("0.5 ± 0.02", "0.49", "0.01", "holds", "Words were too strong."):
        assert text in out
    assert err.strip() == "1 of 1 claims hold"


def test_a_claim_that_fails_is_shown_as_failed_and_ends_with_status_3(two, monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, "2")
    assert status == 3
    for text in ("FAILED", "≤ 1e-06"):
        assert text in out
    assert err.strip() == "1 of 2 claims hold, 1 failed"


def test_json_and_the_folder_hold_every_check(two, monkeypatch, capsys, tmp_path):
    status, out, _ = run(monkeypatch, capsys, "--json", "--quick", "--out", str(tmp_path / "figures"))
    assert status == 3
    checks = json.loads(out)
    assert [check["system"] for check in checks] == ["s1", "s2", "s2"]
    assert all(set(check) == KEYS for check in checks)
    assert [check["passed"] for check in checks] == [True, True, False]
    kept = json.loads((tmp_path / "figures" / "checks.json").read_text(encoding="utf-8"))
    assert (kept["checks"], kept["quick"]) == (checks, True)
    for name in ("s1.svg", "s2.svg"):
        assert (tmp_path / "figures" / name).read_text(encoding="utf-8").count("<text") > 5


def test_the_gallery_is_one_page_with_every_check_and_picture(two, monkeypatch, capsys, tmp_path):
    status, out, _ = run(monkeypatch, capsys, "--out", str(tmp_path / "gallery"))
    assert (status, "FAILED" in out) == (3, True)
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [
        "checks.json",
        "index.html",
        "s1.svg",
        "s2.svg",
    ]
    page = (tmp_path / "gallery" / "index.html").read_text(encoding="utf-8")
    for text in (f"ffshare {__version__}", "Full run", "2 of 3 claims hold, 1 failed", "Words were too strong."):
        assert text in page
    assert (page.count("</span> holds</td>"), page.count("</span> failed</td>")) == (2, 1)
    assert page.count('src="data:image/svg+xml;base64,') == 2


def test_a_folder_that_cannot_hold_a_gallery_is_refused_before_anything_is_run(two, monkeypatch, capsys, tmp_path):
    (tmp_path / "gallery").write_text("")
    monkeypatch.setattr(systems.System, "run", lambda self, quick: pytest.fail("it was run"))
    status, _, err = run(monkeypatch, capsys, "--out", str(tmp_path / "gallery"))
    assert status == 1
    assert "it is a file; name a folder" in err


def test_an_unknown_system_is_refused_with_the_list(two, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, "s3")
    assert status == 1
    assert "there is no experiment 's3'; there are 1 s1, 2 s2" in err


def test_numbers_and_names_of_the_systems_are_all_different():
    assert len({each.number for each in SYSTEMS}) == len({each.name for each in SYSTEMS}) == len(SYSTEMS)
    assert [each.number for each in SYSTEMS] == sorted(each.number for each in SYSTEMS)


def test_nan_never_passes_and_is_null_in_json():
    check = near("it is one", 1.0, float("nan"), 10.0)
    assert not check.passed
    assert not at_most("it is small", 1.0, float("nan")).passed
    assert check.to_json("s")["measured"] is None


def test_a_system_runs_on_one_thread_and_gives_the_threads_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = []
        each = System(
            number=1, name="s", title="", claim="", experiment=lambda quick: seen.append(torch.get_num_threads())
        )
        each.run(True)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
