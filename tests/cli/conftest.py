"""The command line in this process and in another one, and a force field small enough to label by hand."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ffshare.cli import main

PATIENCE = 30.0

# Ethanol by hand: 8 bonds, 13 angles, of which C-O-H has no rule, 12 propers, of which the 3 about C-O have none, and
# 9 atoms: 42 terms, 4 without a rule.
RULES = """\
<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
  <Bonds version="0.4" potential="harmonic" fractional_bondorder_method="AM1-Wiberg"
    fractional_bondorder_interpolation="linear">
    <Bond smirks="[*:1]~[*:2]" id="b1" length="1.5 * angstrom" k="500 * angstrom**-2 * mole**-1 * kilocalorie"/>
    <Bond smirks="[#6:1]-[#1:2]" id="b2" length="1.1 * angstrom" k="600 * angstrom**-2 * mole**-1 * kilocalorie"/>
  </Bonds>
  <Angles version="0.3" potential="harmonic">
    <Angle smirks="[*:1]~[#6:2]~[*:3]" id="a1" angle="109 * degree" k="100 * mole**-1 * radian**-2 * kilocalorie"/>
  </Angles>
  <ProperTorsions version="0.4" potential="k*(1+cos(periodicity*theta-phase))" default_idivf="auto"
    fractional_bondorder_method="AM1-Wiberg" fractional_bondorder_interpolation="linear">
    <Proper smirks="[*:1]~[#6:2]~[#6:3]~[*:4]" id="t1" periodicity1="3" phase1="0 * degree"
      k1="0.1 * mole**-1 * kilocalorie" idivf1="1.0"/>
  </ProperTorsions>
  <vdW version="0.3" potential="Lennard-Jones-12-6" combining_rules="Lorentz-Berthelot" scale12="0.0" scale13="0.0"
    scale14="0.5" scale15="1.0" cutoff="9.0 * angstrom" switch_width="1.0 * angstrom" method="cutoff">
    <Atom smirks="[*:1]" id="n1" epsilon="0.1 * mole**-1 * kilocalorie" rmin_half="1.5 * angstrom"/>
  </vdW>
</SMIRNOFF>
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def fails(self, message, status=1):
        """The command ended with this message on standard error, no traceback and nothing on standard output."""
        assert message in self.err
        assert "Traceback" not in self.err
        assert (self.status, self.out) == (status, "")
        return True


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs `ffshare` with some arguments in this process."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["ffshare", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        wrote = capsys.readouterr()
        return Outcome(status=ended.value.code or 0, out=wrote.out, err=wrote.err)

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def rules(tmp_path):
    """A force field with few rules, written out above."""
    path = tmp_path / "rules" / "few.offxml"
    path.parent.mkdir()
    path.write_text(RULES)
    return path


@pytest.fixture
def write(tmp_path):
    """Writes an input and gives its path."""

    def write_input(content, name="in.smi"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_input


@pytest.fixture
def results(tmp_path):
    """An empty folder for outputs."""
    path = tmp_path / "results"
    path.mkdir()
    return path


class Process:
    """`ffshare` in a process of its own, at the end of pipes."""

    def __init__(self, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "ffshare", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=os.environ | {"PYTHONUTF8": "1"} | environment,
        )

    def feed(self, data):
        """Write to its standard input and leave that open."""
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def interrupt(self):
        """What Ctrl-C does: the signal goes to all processes of the group."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def end(self):
        """Wait for its end, with its standard input still open if it is."""
        status = self.popen.wait(PATIENCE)
        out, err = (stream.read().decode() if stream else "" for stream in (self.popen.stdout, self.popen.stderr))
        return Outcome(status=status, out=out, err=err)


@pytest.fixture
def start():
    """Starts `ffshare` in a process of its own."""
    running = []

    def start_process(*arguments, **options):
        running.append(Process(*arguments, **options))
        return running[-1]

    yield start_process
    for one in running:
        if one.popen.poll() is None:
            os.killpg(one.popen.pid, signal.SIGKILL)
            one.popen.wait(PATIENCE)
        for stream in (one.popen.stdin, one.popen.stdout, one.popen.stderr):
            if stream is not None and not stream.closed:
                stream.close()


def wait_until(condition):
    """Look again and again until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def names(folder: Path):
    """Names of all files of a folder, those that start with a dot too."""
    return sorted(path.name for path in folder.iterdir())


def options_of(engine):
    """The options of a command that name an engine."""
    return ("--workers", engine.workers) if engine.scheduler is None else ("--scheduler", engine.scheduler)
