"""The command line: one module a command, imported only when that command runs."""

import io
import os
import signal
import sys
from types import FrameType

from cyclopts import App

from ffshare import __version__
from ffshare.cli.printable import printable
from ffshare.errors import FfshareError

app = App(
    name="ffshare",
    version=__version__,
    help="Assign force-field parameters to molecules, count them and see why: force fields as shared parameters.",
    suppress_keyboard_interrupt=False,  # main says what an interruption leaves
)
_COMMANDS = {
    "assign": "Label every bond, angle, torsion and atom of molecules with the rule that gives its parameter.",
    "count": "Count the parameters that force fields define and that molecules use.",
    "evaluate": "Compare the energies and forces of a force field with reference data.",
    "init": "Write a settings file for a fit, every setting explained.",
    "fit": "Fit a force field to reference data and say which parameters the data determine.",
    "compare": "Fit sharing schemes on equal terms and compare what they say of molecules they have not seen.",
    "explain": "Show every rule that matches each term of a molecule, which one wins, and why the others lose.",
    "lint": "Find rules that can never win, duplicates and other traps in a force field.",
    "diff": "Show which rules and which terms of molecules differ between two force fields.",
    "doctor": "Show versions, what is installed, and the command that adds what is missing.",
}
for _name, _help in _COMMANDS.items():
    app.command(f"ffshare.cli.{_name}:{_name}", name=_name, help=_help)
_layers = App(name="nn", help="Layers that share weights: measure what is claimed of them.")
_layers.command(
    "ffshare.cli.nn:reproduce",
    name="reproduce",
    help="Run the experiments on parameter sharing and compare each claim with what is measured.",
)
app.command(_layers)


def main() -> None:
    """Run the command line.

    Status 0 is success; 1 an error, with its message; 2 a call that no command takes; 3 a fit that did not
    converge or a claim that failed; 130 and 143 an end by Ctrl-C and by SIGTERM; 141 that the reader of the output
    went away.
    """
    # An end asked for politely, by a scheduler for instance, removes temporary files and ends workers as Ctrl-C does.
    signal.signal(signal.SIGTERM, _end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error is: no name stops a run
    try:
        try:
            app(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except FfshareError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        _discard_output()
        sys.exit(141)
    except OSError as error:
        _discard_output()
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)
    except KeyboardInterrupt:
        _fail("interrupted; no output file was written", 130)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _fail(message: str, status: int) -> None:
    print(f"ffshare: {printable(message)}", file=sys.stderr)
    sys.exit(status)


def _discard_output() -> None:
    """Send what is still to be written to standard output nowhere, since Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
