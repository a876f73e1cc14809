"""Schemes by name: ways to hand shared parameters to sites, all with one contract."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ffshare.assign.assignment import Assignment
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.molecules import GraphBatch
from ffshare.rules import Mode, load_force_field
from ffshare.rules.table import RuleTable


class Scheme(Protocol):
    """A way to hand shared parameters to the sites of molecules.

    Law: the parameters of a molecule do not change when its atoms are renumbered, when molecules are shuffled, when the
    batch is cut differently, or with the number of workers.
    """

    name: str

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """Rules by section."""

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file that the scheme was made from, by path."""

    def assign(self, batch: GraphBatch) -> Assignment:
        """The sites of a batch and the rule of each."""


def load_scheme(*names: str | Path, mode: Mode = "compat") -> Scheme:
    """The scheme of some names.

    Args:
        *names: An installed force field (``openff-2.3.0``), one that ships with ffshare (``alkethoh-smirks``), or the
            path of an .offxml or .toml file. Of several, the later ones are appended, so that their rules win.
        mode: ``compat``: as openff-toolkit does; ``spec``: as the SMIRNOFF specification says.

    Returns:
        The scheme, compiled.

    Raises:
        SchemeError: No force field has that name.
        RuleFileError: A file has faults; all of them are listed.

    Example:
        >>> load_scheme("openff-2.2.1").name
        'openff-2.2.1'
    """
    return SmirnoffScheme(load_force_field(*map(str, names), mode=mode))
