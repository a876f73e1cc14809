"""The command line: one module a command, imported only when that command runs."""

import sys

from cyclopts import App

from ffshare import __version__
from ffshare.errors import FfshareError

app = App(
    name="ffshare",
    version=__version__,
    help="Assign force-field parameters to molecules, count them and see why: force fields as shared parameters.",
)
_COMMANDS = {
    "assign": "Label every bond, angle, torsion and atom of molecules with the rule that gives its parameter.",
    "count": "Count the parameters that force fields define and that molecules use.",
    "explain": "Show every rule that matches each term of a molecule, which one wins, and why the others lose.",
    "lint": "Find rules that can never win, duplicates and other traps in a force field.",
    "diff": "Show which rules and which terms of molecules differ between two force fields.",
    "doctor": "Show versions, what is installed, and the command that adds what is missing.",
}
for _name, _help in _COMMANDS.items():
    app.command(f"ffshare.cli.{_name}:{_name}", name=_name, help=_help)


def main() -> None:
    """Run the command line; errors of ffshare end with their message and status 1, an interruption with 130."""
    try:
        app()
    except FfshareError as error:
        print(f"ffshare: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except KeyboardInterrupt:
        print("ffshare: interrupted; nothing was written under the final names", file=sys.stderr)
        sys.exit(130)
