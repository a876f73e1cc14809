"""What a scheme gives to molecules: sites, the rule of each, and the tables that the rules stand in."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ffshare.assign.count import Counts, counts
from ffshare.assign.html import html_table
from ffshare.assign.sites import Sites
from ffshare.assign.tables import label_table, unassigned_table
from ffshare.assign.tally import tally
from ffshare.assign.ties import joint_tying, site_tying
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable
from ffshare.tying import LinearTying


@record
class Assignment:
    """The sites of every section of a batch and the tables that they index."""

    scheme: str = doc("name of the scheme that made it")
    batch: GraphBatch = doc("the molecules")
    sites: Mapping[str, Sites] = doc("sites by section")
    tables: Mapping[str, RuleTable] = doc("rules by section")
    frustrated: tuple[int, ...] = doc(
        "molecules in which the two types of a pair (cc/cd, …) cannot be told apart, since their bonds contradict each "
        "other",
        default=(),
    )
    arbitrary: tuple[int, ...] = doc(
        "molecules in which a charge or double bonds had to be placed at one of several equivalent places, so that "
        "which of their equivalent terms gets which parameter is a choice",
        default=(),
    )

    def to_table(self) -> pa.Table:
        """One row a term: molecule_idx, molecule, section, atoms, rule_id, pattern, fallback (null where none)."""
        return label_table(self.batch, self.sites, self.tables)

    def count(self) -> Counts:
        """Parameters defined and exercised, sites, and sites without a rule, section by section."""
        return counts(self.scheme, self.tables, tally(self.batch.n_molecules, self.sites, self.tables))

    def unassigned(self) -> pa.Table:
        """The terms that no rule matches: molecule_idx, molecule, section, atoms, elements."""
        return unassigned_table(self.batch, self.sites)

    def tying(self, section: str | None = None, column: str | None = None) -> LinearTying:
        """Which free parameter feeds which site.

        Args:
            section: A section, such as Bonds; by default all sections, those that are counted apart included.
            column: A column of the section, such as k or length, free or not; by default all its free columns.

        Returns:
            One site entry a (site, term), site-major; one free parameter a (rule, term) in the order of the table,
            with key (section, rule_id, column, term). idivf and the third of a trefoil improper are coefficients;
            sites without a rule are fixed at zero. Several columns stand side by side, in the order of the file.

        Raises:
            SchemeError: There is no such section or column, or a column was given without its section.

        Example:
            >>> import ffshare
            >>> labels = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCO"))
            >>> ties = labels.tying("Bonds", "length")
            >>> ties.n_free, ties.n_site, ties.n_free - len(ties.unseen())
            (90, 8, 4)
            >>> ties.keys[0], int(ties.counts[0])
            (('Bonds', 'b1', 'length', 0), 1)
        """
        if section is None and column is not None:
            raise SchemeError(f"column {column!r} was given without its section; give both, or neither")
        if section is not None and section not in self.tables:
            raise SchemeError(
                f"{self.scheme} has no section {section!r} of sites; sections it has: {', '.join(self.tables)}"
            )
        tables = list(self.tables.values()) if section is None else [self.tables[section]]
        if column is None:
            return joint_tying(self.batch, self.sites, tables)
        return site_tying(self.batch, self.sites[tables[0].section], tables[0], column)

    def _repr_html_(self) -> str:
        return html_table(f"{self.scheme}: {self.batch.n_molecules} molecules", self.count().to_dicts())

    def __repr__(self) -> str:
        n_sites = sum(map(len, self.sites.values()))
        n_missing = sum(int(np.sum(sites.rule_idxs < 0)) for sites in self.sites.values())
        molecules = f"{self.batch.n_molecules} molecules"
        return f"Assignment({self.scheme}: {molecules}, {n_sites} sites, {n_missing} without a rule)"
