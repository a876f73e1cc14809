"""What goes to standard output and what to standard error, on a terminal and off it."""

import os

import pytest

import ffshare

pty = pytest.importorskip("pty", reason="needs a terminal")

COMMANDS = ("assign", "count", "evaluate", "explain", "lint", "diff", "doctor")


def test_help_lists_the_commands_and_version_is_the_version(cli):
    shown = cli("--help").out
    assert all(f" {command} " in shown for command in COMMANDS)
    assert cli("--version").out == f"{ffshare.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_json(cli, command):
    done = cli(command, "--help")
    assert done.status == 0
    assert "--json" in done.out


def test_a_command_that_is_none_is_told_on_standard_error(cli):
    done = cli("asign", "x.smi")
    assert done.status == 2
    assert done.out == ""
    assert "asign" in done.err


def test_on_a_terminal_a_bar_shows_the_progress_and_results_still_go_to_standard_output(start, rules, write):
    ours, theirs = pty.openpty()
    process = start("assign", write("CCO ethanol\nC1CC open\n" * 3), "--scheme", rules, stderr=theirs, TERM="xterm")
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    done = process.end()
    assert done.status == 0
    assert done.out.splitlines()[0] == "molecule_idx,molecule,section,atoms,rule_id,pattern,fallback"
    assert len(done.out.splitlines()) == 1 + 3 * 42
    assert b"labelling" in shown
    assert b"ethanol,Bonds" not in shown
    assert b"SMILES does not parse: unclosed ring" in shown


def test_a_name_that_the_encoding_of_standard_output_lacks_does_not_stop_a_run(start, rules, write):
    process = start("assign", write("O wässrig 🧪\n"), "--scheme", rules, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    done = process.end()
    assert done.status == 0
    assert r"0,w\xe4ssrig \U0001f9ea,Bonds,0-1,b1," in done.out
