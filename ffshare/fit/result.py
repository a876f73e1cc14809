"""What a fit gives: values, errors, what the data say of each, and how it got there."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ffshare.fit.identifiability import Identifiability
from ffshare.fit.parameters import KINDS, Key, Parameters
from ffshare.fit.solve import Solution
from ffshare.fit.straight import LeftOut
from ffshare.fit.uncertainty import Uncertainty
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.table import RuleTable

FIXED, AT_BOUND, SLACK, UNIDENTIFIED, PRIOR, FEW = (
    "fixed",
    "at a bound",
    "of a spring without stiffness",
    "not identified alone",
    "more from the prior than from the data",
    "from few molecules",
)
"""Flags of a parameter."""

UNITS: Mapping[str, str] = {
    "bond k": "kcal/mol/Å²",
    "length": "Å",
    "angle k": "kcal/mol/rad²",
    "angle": "rad",
    "barrier": "kcal/mol",
}
"""Units of the values by kind of parameter."""

_WITHOUT_ERROR = (FIXED, AT_BOUND, SLACK)


@record
class FitResult:
    """A fit, converged or not."""

    scheme: str = doc("name of the scheme")
    parameters: Parameters = doc("parameters that the fit could move, with their values before")
    values: FloatArray = doc("values after [unit of the column], shape=(n,)")
    errors: FloatArray = doc("standard errors, NaN where there is none, shape=(n,)")
    flags: tuple[tuple[str, ...], ...] = doc("what to know of each parameter")
    untouched: Parameters = doc("parameters that no data touch: they keep their values")
    solution: Solution = doc("how the fit ended, and its history")
    uncertainty: Uncertainty = doc("errors of both kinds, and shares of the data")
    identifiability: Identifiability = doc("what the data identify")
    squared_residuals: tuple[float, float] = doc("squared residuals over their errors, before and after")
    n_residuals: int = doc("number of residuals")
    n_molecules: int = doc("number of molecules")
    left_out: tuple[LeftOut, ...] = doc("torsions that were left out, since they are almost straight")
    skipped: IntArray = doc("molecules with a term that no rule matches: they did not take part")
    clashes: Mapping[int, int] = doc("conformers that were left out by molecule, see `ffshare.fit.weights`")
    provenance: Mapping[str, str] = doc("versions, settings and level of theory")
    start_tables: Mapping[str, RuleTable] = doc("rules by section as they were")

    def __post_init__(self) -> None:
        freeze_arrays(self, values=np.float64, errors=np.float64, skipped=np.int64)

    def __repr__(self) -> str:
        ratio = self.squared_residuals[1] / self.squared_residuals[0] if self.squared_residuals[0] else 1.0
        rank = f"{self.identifiability.rank} of {len(self.parameters)} identified"
        return f"FitResult({self.scheme}: {self.status}, {rank}, squared residuals × {ratio:.3g})"

    @property
    def status(self) -> str:
        """How it ended: ``converged`` or why not."""
        return self.solution.status

    @property
    def advice(self) -> str:
        """What to do where it did not converge."""
        return self.solution.advice

    @property
    def by_key(self) -> dict[Key, float]:
        """Values after, by section, rule id, column and term."""
        return dict(zip(self.parameters.keys, self.values.tolist(), strict=True))

    def tables(self) -> dict[str, RuleTable]:
        """The rules with the fitted numbers, by section; all else is as it was.

        Returns:
            Tables in the order of those before. An assignment with them (`dataclasses.replace`) is that of the
            fitted force field.
        """
        tables = dict(self.start_tables)
        sections = np.array([key[0] for key in self.parameters.keys], dtype=np.str_)
        columns = np.array([key[2] for key in self.parameters.keys], dtype=np.str_)
        for section, column in sorted({(key[0], key[2]) for key in self.parameters.keys}):
            table = tables[section]
            chosen = np.flatnonzero((sections == section) & (columns == column))
            numbers = np.array(table.columns[column].values)
            numbers[self.parameters.entries[chosen]] = self.values[chosen]
            changed = replace(table.columns[column], values=numbers)
            tables[section] = replace(table, columns={**table.columns, column: changed})
        return tables

    def to_table(self) -> pa.Table:
        """One row a parameter that the fit could move.

        Returns:
            name, section, rule_id, column, term (from 1), unit, before, after, standard_error (null where there is
            none), nominal_error, clustered_error, data_share, n_molecules, flags.
        """
        keys, doubts = self.parameters.keys, self.uncertainty
        kinds = [KINDS[kind] for kind in self.parameters.kinds.tolist()]
        return pa.table(
            {
                "name": pa.array(self.parameters.names, pa.string()),
                "section": pa.array([key[0] for key in keys], pa.string()),
                "rule_id": pa.array([key[1] for key in keys], pa.string()),
                "column": pa.array([key[2] for key in keys], pa.string()),
                "term": pa.array([key[3] + 1 for key in keys], pa.int64()),
                "unit": pa.array([UNITS[kind] for kind in kinds], pa.string()),
                "before": pa.array(self.parameters.values),
                "after": pa.array(self.values),
                "standard_error": pa.array(self.errors, from_pandas=True),
                "nominal_error": pa.array(doubts.nominal, from_pandas=True),
                "clustered_error": pa.array(doubts.clustered, from_pandas=True),
                "data_share": pa.array(doubts.data_shares),
                "n_molecules": pa.array(doubts.n_molecules),
                "flags": pa.array(["; ".join(flags) for flags in self.flags], pa.string()),
            }
        )

    def identifiability_table(self) -> pa.Table:
        """What the data do not say, one row a finding.

        Returns:
            subject (names of parameters, or of one), finding: parameters that are determined only together; those with
            a flag; those that no data touch; and torsions and conformers that were left out.
        """
        rows = [("combination", sentence) for sentence in self.identifiability.sentences]
        for name, flags in zip(self.parameters.names, self.flags, strict=True):
            rows += [(name, flag) for flag in flags]
        rows += [(name, "no data touch it") for name in self.untouched.names]
        for torsion in self.left_out:
            atoms = "-".join(map(str, torsion.atom_idxs))
            where = f"{torsion.section} {atoms} of molecule {torsion.molecule_idx}"
            rows.append((where, f"left out: almost straight in {torsion.n_conformers} conformers"))
        for idx, count in self.clashes.items():
            rows.append((f"molecule {idx}", f"{count} conformers left out: the background is far too high in them"))
        subjects, findings = zip(*rows, strict=True) if rows else ((), ())
        return pa.table({"subject": pa.array(subjects, pa.string()), "finding": pa.array(findings, pa.string())})


def flags_of(
    parameters: Parameters,
    values: FloatArray,
    fixed: IntArray,
    solution: Solution,
    doubts: Uncertainty,
    known: Identifiability,
    few: float,
) -> tuple[tuple[str, ...], ...]:
    """What to know of each parameter.

    Args:
        parameters: The parameters.
        values: Their values after the fit, shape=(n,).
        fixed: Those that were fixed.
        solution: How the fit ended.
        doubts: Errors.
        known: What is identified.
        few: Parameters that fewer molecules determine are flagged.

    Returns:
        Flags of each.
    """
    n = len(parameters)
    is_fixed, alone = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    is_fixed[fixed] = True
    alone[known.unidentified] = True
    at_bound = solution.held & ~is_fixed
    errors = np.fmax(doubts.nominal, doubts.clustered)
    slack = np.zeros(n, dtype=bool)
    rest = np.flatnonzero(parameters.partners >= 0)
    stiff = parameters.partners[rest]
    slack[rest] = (at_bound | (values < 2.0 * errors))[stiff] & ~is_fixed[rest]
    marks = (
        (FIXED, is_fixed),
        (AT_BOUND, at_bound),
        (SLACK, slack),
        (UNIDENTIFIED, alone),
        (PRIOR, (doubts.data_shares < 0.5) & ~is_fixed & ~at_bound),
        (FEW, (doubts.n_molecules < few) & ~is_fixed),
    )
    return tuple(tuple(name for name, mask in marks if mask[i]) for i in range(n))


def shown_errors(errors: FloatArray, flags: tuple[tuple[str, ...], ...]) -> FloatArray:
    """Standard errors, NaN for parameters whose flags say that they have none.

    Args:
        errors: The errors, shape=(n,).
        flags: Flags of each parameter.

    Returns:
        The errors that may be shown, shape=(n,).
    """
    none = np.array([any(flag in _WITHOUT_ERROR for flag in each) for each in flags], dtype=bool)
    return np.where(none, np.nan, errors)
