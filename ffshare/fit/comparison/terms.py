"""The terms of a comparison: the same for every scheme, which gives only the labels, that is, which sites share.

Harmonic bonds and angles; of each proper torsion the cosines 1 to n without a phase, their barriers of either sign; at
each planar centre the trefoil with n = 2. A scheme can be given its own periodicities and phases instead (`own`), if
its propers are cosines; what its rules divide barriers by (`idivf`) does not count, so that one width of priors means
the same for all.

A *labelled* assignment holds the common sites with the rules of a scheme, and tables of these rules with the columns
that the terms need. All that takes an assignment takes it: ties, parameters, soft ties.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ffshare.assign import Assignment, Sites
from ffshare.errors import SchemeError
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.parameters import BONDED
from ffshare.model import Basis, Springs, Waves, linear_bases
from ffshare.records import doc, record
from ffshare.rules.table import Column, RuleTable

TORSION = "k*(1+cos(periodicity*theta-phase))"
IMPROPER_PERIODICITY = 2
TREFOIL = 3.0
_STRUCTURE = ("periodicity", "phase", "idivf")


@record
class TermsOf:
    """Which terms are fitted."""

    periodicities: tuple[int, ...] | None = doc(
        "of the propers, without a phase; None: those of each scheme, with its phases", default=(1, 2, 3)
    )

    def __str__(self) -> str:
        if self.periodicities is None:
            return "each scheme's own periodicities and phases"
        return f"n = {self.periodicities[0]} to {self.periodicities[-1]}, phase 0"

    def labelled(self, assignment: Assignment, sites: CommonSites) -> Assignment:
        """The common sites with the rules of a scheme.

        Args:
            assignment: What the scheme gives to the molecules.
            sites: The common sites of these molecules.

        Returns:
            An assignment of the four bonded sections; its numbers are 0, for a fit starts from elsewhere.

        Raises:
            SchemeError: The scheme is to keep its own periodicities and has none.
        """
        tables = {section: self._table(assignment, section) for section in BONDED}
        rules = sites.rules_of(assignment)
        found = {
            section: Sites(
                atom_idxs=sites.atom_idxs[section], molecule_idxs=sites.molecule_idxs(section), rule_idxs=rules[section]
            )
            for section in BONDED
        }
        return Assignment(scheme=assignment.scheme, batch=sites.batch, sites=found, tables=tables)

    def bases(self, labelled: Iterable[Assignment]) -> dict[str, Basis]:
        """Functions of the sites that hold the terms of some labelled assignments.

        Args:
            labelled: All schemes that are to share them.

        Returns:
            A basis for each section.
        """
        found = [linear_bases(each.tables)["ProperTorsions"] for each in labelled]
        waves = [basis for basis in found if isinstance(basis, Waves)]
        return {
            "Bonds": Springs(),
            "Angles": Springs(),
            "ProperTorsions": Waves(
                cosines=tuple(sorted({n for each in waves for n in each.cosines})),
                sines=tuple(sorted({n for each in waves for n in each.sines})),
            ),
            "ImproperTorsions": Waves(cosines=(IMPROPER_PERIODICITY,)),
        }

    def _table(self, assignment: Assignment, section: str) -> RuleTable:
        """The rules of a scheme with the columns that the terms need."""
        given = assignment.tables.get(section) or _no_rules(section)
        if section in ("Bonds", "Angles"):
            rest = {"Bonds": "length", "Angles": "angle"}[section]
            columns = {name: _column(name, len(given), 1) for name in ("k", rest)}
            return replace(given, columns=columns, settings={"potential": "harmonic"})
        if section == "ImproperTorsions":
            columns = {
                **_waves(len(given), (IMPROPER_PERIODICITY,)),
                "idivf": _column("idivf", len(given), 1, [TREFOIL]),
            }
        elif self.periodicities is not None:
            columns = _waves(len(given), self.periodicities)
        else:
            if not {"k", "periodicity", "phase"} <= set(given.columns):
                raise SchemeError(f"{assignment.scheme} has no periodicities of its own; compare it on common terms")
            bare = np.setdiff1d(np.arange(len(given)), given.columns["k"].rule_idxs)
            used = assignment.sites[section].rule_idxs if section in assignment.sites else bare
            if np.isin(bare, used).any():
                first = given.ids[int(bare[np.isin(bare, used)][0])]
                raise SchemeError(
                    f"{assignment.scheme}: rule {first} has no term of its own; compare it on common terms"
                )
            columns = {name: given.columns[name] for name in _STRUCTURE if name in given.columns}
            columns["k"] = replace(given.columns["k"], values=np.zeros(len(given.columns["k"].values)))
            if "idivf" in columns:
                # A fixed divisor is a matter of notation, and would make the prior of what is left narrower.
                divisors = columns["idivf"].values
                columns["idivf"] = replace(columns["idivf"], values=np.where(np.isnan(divisors), divisors, 1.0))
        return replace(given, columns=columns, settings={"potential": TORSION})


def _waves(n_rules: int, periodicities: Sequence[int]) -> dict[str, Column]:
    n = len(periodicities)
    return {
        "k": _column("k", n_rules, n),
        "periodicity": _column("periodicity", n_rules, n, periodicities),
        "phase": _column("phase", n_rules, n),
    }


_UNITS: Mapping[str, str] = {"k": "kcal/mol", "length": "Å", "angle": "rad", "phase": "rad"}


def _column(name: str, n_rules: int, n_terms: int, values: Sequence[float] | None = None) -> Column:
    return Column(
        name=name,
        unit=_UNITS.get(name, ""),
        values=np.tile(np.zeros(n_terms) if values is None else np.asarray(values, dtype=np.float64), n_rules),
        rule_idxs=np.repeat(np.arange(n_rules), n_terms),
        terms=np.tile(np.arange(n_terms), n_rules),
        free=name in ("k", "length", "angle"),
    )


def _no_rules(section: str) -> RuleTable:
    return RuleTable(section=section, ids=(), patterns=(), columns={}, lines=(), sources=(), attributes=(), settings={})
