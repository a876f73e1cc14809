"""What every scheme is: the contract that assignment, counting, fitting and the controls rely on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ffshare.assign.assignment import Assignment
from ffshare.assign.explain import Explanation
from ffshare.molecules import GraphBatch
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

    @property
    def explained(self) -> Sequence[str]:
        """Sections that it can explain."""

    def assign(self, batch: GraphBatch) -> Assignment:
        """The sites of a batch and the rule of each."""

    def explanations(self, batch: GraphBatch, section: str) -> Iterable[Explanation]:
        """Why each term of a section that has or needs a rule got it."""
