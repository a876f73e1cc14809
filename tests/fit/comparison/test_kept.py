"""What a comparison keeps in a folder: used again where it applies, and only there."""

import dataclasses
import re
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from ffshare.errors import OutputError
from ffshare.fit import Weights
from ffshare.fit.comparison import Candidates, TermsOf
from ffshare.folder_lock import locked
from ffshare.parallel import Engine
from tests.fit.comparison.run_samples import SCHEMES, SETTINGS, as_json, hessians_of, molecules, plain, run
from tests.fit.comparison.samples import spoilt
from tests.model.samples import scheme_of


def test_a_comparison_that_was_ended_goes_on_to_the_same_numbers(tmp_path):
    hessians, calls = hessians_of(molecules()), []
    first = run(hessians=hessians, folder=tmp_path, progress=lambda done, of: calls.append((done, of)))
    assert as_json(first) == as_json(plain())
    assert calls == [(done, 8) for done in range(1, 9)]
    files = sorted((tmp_path / "fits").iterdir())
    assert [path.suffix for path in files] == [".json"] * 8
    for path in files[::2]:
        path.unlink()
    marked = {path: path.stat().st_mtime_ns for path in files[1::2]}
    again = run(hessians=hessians, folder=tmp_path)
    assert as_json(again) == as_json(plain())
    assert sorted((tmp_path / "fits").iterdir()) == files
    assert {path: path.stat().st_mtime_ns for path in marked} == marked


class Stop(Exception):
    """What ends a comparison in these tests."""


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_sums_in_a_folder_are_made_once(tmp_path):
    def stopping(done, of):
        raise Stop

    with pytest.raises(Stop):
        run(hessians=hessians_of(molecules()), folder=tmp_path, progress=stopping)
    sums = stamps(tmp_path / "sums")
    assert sorted(path.relative_to(tmp_path / "sums").as_posix() for path in sums) == [
        f"{kind}/statistics-000000.npz" for kind in ("energies", "forces")
    ]
    again = run(hessians=hessians_of(molecules()), folder=tmp_path, engine=Engine(workers=2))
    assert as_json(again) == as_json(plain())
    assert stamps(tmp_path / "sums") == sums
    # Errors allowed are not in them.
    others = dataclasses.replace(SETTINGS, weights=Weights(energy=0.3, force=4.0))
    run(schemes=SCHEMES[:1], settings=others, folder=tmp_path)
    assert stamps(tmp_path / "sums") == sums


@pytest.mark.parametrize(("workers", "stops"), [(1, False), (2, True)])
def test_sums_without_a_folder_are_gone_at_the_end(tmp_path, monkeypatch, workers, stops):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def looking(done, of):
        seen.append(len(list(tmp_path.glob("*/*/statistics-*.npz"))))
        if stops:
            raise Stop

    with pytest.raises(Stop) if stops else nullcontext():
        run(schemes=SCHEMES[:1], engine=Engine(workers=workers), progress=looking)
    assert set(seen) == {2}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": Weights(energy=0.3, force=4.0)},
        {"candidates": Candidates(strengths=(5.0,), barrier_widths=(0.5,))},
        {"seed": 2},
        {"terms": TermsOf(periodicities=(1, 2, 3, 4))},
    ],
    ids=["weights", "candidates", "seed", "terms"],
)
def test_what_was_kept_under_other_settings_is_not_used(tmp_path, changed):
    one = SCHEMES[:1]
    run(schemes=one, folder=tmp_path)
    other = dataclasses.replace(SETTINGS, **changed)
    assert as_json(run(schemes=one, settings=other, folder=tmp_path)) == as_json(run(schemes=one, settings=other))
    assert len(list((tmp_path / "fits").iterdir())) == 8


def test_what_was_kept_of_other_data_is_not_used(tmp_path):
    one, others = SCHEMES[:1], [spoilt(each) for each in molecules()]
    run(schemes=one, folder=tmp_path)
    assert as_json(run(others, schemes=one, folder=tmp_path)) == as_json(run(others, schemes=one))


def test_what_was_kept_of_rules_that_were_edited_since_is_not_used(tmp_path):
    path = tmp_path / "rules.offxml"
    (original,) = scheme_of("openff-2.2.1").checksums
    text = Path(original).read_text(encoding="utf-8")
    path.write_text(text)
    before = run(schemes=(str(path),), folder=tmp_path / "fits")
    # All bonds share, say the edited rules.
    rules = re.sub(r'(<Bond smirks=")[^"]*"', r'\1[*:1]~[*:2]"', text)
    assert rules != text
    path.write_text(rules)
    after = run(schemes=(str(path),), folder=tmp_path / "fits")
    assert after.rows[0]["exercised"] < before.rows[0]["exercised"]
    assert as_json(after) == as_json(run(schemes=(str(path),)))


def test_workers_of_a_scheduler_find_a_folder_wherever_they_stand(tmp_path, monkeypatch, cluster_address):
    monkeypatch.chdir(tmp_path)
    found = run(hessians=hessians_of(molecules()), folder="kept", engine=Engine(scheduler=cluster_address))
    assert as_json(found) == as_json(plain())
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["fits", "sums"]
    assert len(list((tmp_path / "kept" / "fits").iterdir())) == 8


def test_a_second_comparison_in_a_folder_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(OutputError, match=r"is in use by a run on .* since .*; wait for it, or name"):
        run(folder=tmp_path)
    assert not list(tmp_path.iterdir())
