"""`ffshare lint`: what it finds does not depend on who looks."""

from ffshare.molecules.read import BATCH_SIZE
from tests.cli.conftest import options_of


def test_other_workers_observe_the_same(cli, rules, write, elsewhere):
    # Two chunks, in which every bond is one to hydrogen.
    molecules = write("C methane\n" * (BATCH_SIZE + 1))
    here, there = (
        cli("lint", rules, "--against", molecules, "--json", *options) for options in ((), options_of(elsewhere))
    )
    assert (here.status, there.status) == (0, 0)
    assert here.out == there.out
    assert {one["certainty"] for one in here.json} >= {"observed"}


def test_workers_and_a_scheduler_exclude_each_other(cli, rules):
    assert cli("lint", rules, "--workers", 2, "--scheduler", "tcp://127.0.0.1:9").fails("give one of them")
