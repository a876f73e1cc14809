"""`untied`: nothing is shared but by symmetry, so that every molecule has parameters of its own."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.contract import Scheme
from ffshare.assign.controls.classes import site_classes
from ffshare.assign.controls.control import Control, Shared, Sharing, shared_sections
from ffshare.assign.controls.made_rules import made_rules
from ffshare.assign.controls.symmetry import symmetry
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.append import rows_of, with_added
from ffshare.rules.table import RuleTable


class UntiedScheme(Control):
    """One rule for each symmetry class of sites of each molecule; its id is ``<molecule key>:<class>``.

    The scheme defines no rule of its own: all are added for the molecules at hand, each with the terms and values that
    the base has there. Two entries of the same molecule share, in one batch or in several. If the base gives sites of
    one class several rules (some perception depends on stereochemistry, which classes leave out), the first of them in
    its table counts.

    Example:
        >>> import ffshare
        >>> scheme = UntiedScheme(ffshare.load_scheme("openff-2.2.1"))
        >>> labels = scheme.assign(ffshare.from_smiles("CC", "C"))
        >>> labels.tables["Bonds"].ids
        ('80b13ba0fe370652:1-2', 'b8ee69b8aeb1511d:1-1', 'b8ee69b8aeb1511d:1-2')
    """

    _reason = "one parameter for this symmetry class of this molecule"

    def __init__(self, base: Scheme) -> None:
        """The scheme that unties another one.

        Args:
            base: The scheme whose sites, terms and values it takes.
        """
        super().__init__(f"untied:{base.name}", base)
        none = np.zeros(0, dtype=np.int64)
        self._tables = {section: rows_of(table, none) for section, table in shared_sections(base).items()}

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """Sections without rules, with the columns of the base."""
        return self._tables

    def _sharing(self, batch: GraphBatch) -> Sharing:
        found = symmetry(batch)

        def share(section: str, atoms: IntArray, rules: IntArray, table: RuleTable) -> Shared:
            classes = site_classes(found, atoms, section)
            # The first base rule of each class; classes without any are left out.
            n_rules = len(table)
            first = np.full(len(classes.names), n_rules)
            with_rule = rules >= 0
            np.minimum.at(first, classes.site_classes[with_rule], rules[with_rule])
            names = sorted((classes.names[idx], idx) for idx in np.flatnonzero(first < n_rules).tolist())
            order = np.array([idx for _, idx in names], dtype=np.int64)
            places = np.full(len(first), -1)
            places[order] = np.arange(len(order))
            ids = [name for name, _ in names]
            added = made_rules(table, first[order], ids, ids)
            return Shared(rule_idxs=places[classes.site_classes], table=with_added(self._tables[section], added))

        return share
