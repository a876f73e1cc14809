"""The results of a run as files: tables, the report, the fitted force field."""

import csv
import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from ffshare.fit.evaluate import ErrorSums
from ffshare.fit.reference import canonical_smiles
from ffshare.fit.result import AT_BOUND, UNIDENTIFIED
from ffshare.fit.run.folder import REPORT
from ffshare.fit.run.force_field import Written, write_force_field
from ffshare.fit.run.run import FitRun

_VERSIONS = ("ffshare", "numpy", "scipy", "rdkit", "pyarrow")
_MOLECULE_HEADS = (
    *("molecule_idx", "molecule", "smiles", "n_conformers", "n_used"),
    *("energy_rmse_before", "energy_rmse_after", "force_rmse_before", "force_rmse_after", "left_out"),
)
_FAILURE_HEADS = ("stage", "index", "file", "line", "molecule", "reason", "advice")
_ADVICE = "nothing need be done, or take a force field or charges that cover it"


def write_run(run: FitRun, folder: str | Path, settings: bytes) -> dict[str, Any]:
    """Write all results of a run but the plots.

    Args:
        run: The run.
        folder: An empty folder.
        settings: The settings file that it was told by.

    Returns:
        What ``fit.json`` holds; its ``summary`` is what a user looks at first.
    """
    where = Path(folder)
    written = write_force_field(run.inputs.scheme, run.result, where)
    _write_table(where / "parameters.csv", run.result.to_table())
    _write_table(where / "identifiability.csv", run.result.identifiability_table())
    _write_rows(where / "molecules.csv", _MOLECULE_HEADS, _molecule_rows(run))
    _write_rows(where / "failures.csv", _FAILURE_HEADS, _failure_rows(run))
    report = _report(run, written, hashlib.blake2b(settings, digest_size=16).hexdigest())
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (where / REPORT).write_text(text + "\n", encoding="utf-8")
    return report


def _report(run: FitRun, written: Written, settings_checksum: str) -> dict[str, Any]:
    result, known = run.result, run.result.identifiability
    steps = [{name: getattr(step, name) for name in step.__dataclass_fields__} for step in result.solution.history]
    return {
        "summary": _summary(run, written),
        "reason_to_stop": result.status,
        "advice": result.advice,
        "steps": steps,
        "objective": result.solution.objective,
        "squared_residuals": {"before": result.squared_residuals[0], "after": result.squared_residuals[1]},
        "n_residuals": result.n_residuals,
        "identifiability": {
            "rank": known.rank,
            "n_parameters": len(result.parameters),
            "n_determined": known.n_determined,
            "tolerance": known.tolerance,
            "floor": known.floor,
            "confirmed_by_rows": known.confirmed,
            "eigenvalues": known.eigenvalues.tolist(),
        },
        "soft_ties": {
            "strength": run.soft_ties.strength,
            "n_ties": len(run.soft_ties.ties.edges),
            "choice": None if run.soft_ties.choice is None else asdict(run.soft_ties.choice),
        },
        "left_out": {
            "records": len(run.data.failures),
            "molecules": len(run.skipped),
            "conformers": sum(result.clashes.values()),
            "straight_torsions": len(result.left_out),
        },
        "flags": _counts(flag for flags in result.flags for flag in flags),
        "n_untouched": len(result.untouched),
        "level_of_theory": run.data.level,
        "source": run.data.source,
        "settings": run.inputs.settings.plain(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _VERSIONS},
        },
        "settings_checksum": settings_checksum,
        "checksums": dict(run.inputs.checksums),
    }


def _summary(run: FitRun, written: Written) -> dict[str, Any]:
    """What a user looks at first."""
    result = run.result
    return {
        "scheme": result.scheme,
        "level_of_theory": run.data.level,
        "charges": run.charges,
        "status": result.status,
        "n_steps": len(result.solution.history) - 1,
        "n_molecules": result.n_molecules,
        "n_molecules_left_out": len(run.skipped),
        "n_records_failed": len(run.data.failures),
        "n_conformers": run.misfit.n_conformers,
        "n_conformers_left_out": sum(result.clashes.values()),
        "n_parameters": len(result.parameters),
        "n_identified": result.identifiability.rank,
        "n_not_identified_alone": sum(UNIDENTIFIED in flags for flags in result.flags),
        "n_at_bounds": sum(AT_BOUND in flags for flags in result.flags),
        "soft_tie_strength": run.soft_ties.strength,
        "n_changed": written.n_changed,
        "errors": [
            _errors("energies", "kcal/mol", run.misfit.energies),
            _errors("forces", "kcal/mol/Å", run.misfit.forces),
        ],
        "force_field": list(written.names),
    }


def _errors(what: str, unit: str, sums: tuple[ErrorSums, ErrorSums]) -> dict[str, Any]:
    before, after = sums
    return {
        "what": what,
        "unit": unit,
        "n": before.count,
        "rmse_before": before.rmse,
        "rmse_after": after.rmse,
        "mae_before": before.mae,
        "mae_after": after.mae,
        "reference_rms": before.reference_rms,
    }


def _counts(flags: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for flag in flags:
        counts[flag] = counts.get(flag, 0) + 1
    return dict(sorted(counts.items()))


def _molecule_rows(run: FitRun) -> Iterable[Sequence[Any]]:
    used = {each.molecule_idx: each for each in run.misfit.molecules}
    for idx, molecule in enumerate(run.data.molecules):
        head = [idx, canonical_smiles(molecule.smiles), molecule.smiles, molecule.n_conformers]
        if idx in used:
            found = used[idx]
            errors = [each.rmse for pair in (found.energies, found.forces) for each in pair]
            yield (*head, found.n_used, *errors, None)
        else:
            yield (*head, 0, None, None, None, None, run.skipped.get(idx, "not covered"))


def _failure_rows(run: FitRun) -> Iterable[Sequence[Any]]:
    for one in run.data.failures:
        yield "reading", one.index, one.path, one.line, one.name or one.text, one.reason, one.advice
    for idx, reason in run.skipped.items():
        smiles = canonical_smiles(run.data.molecules[idx].smiles)
        yield "assigning", idx, None, None, smiles, reason, _ADVICE


def _write_table(path: Path, table: pa.Table) -> None:
    columns = [column.to_pylist() for column in table.columns]
    _write_rows(path, table.column_names, zip(*columns, strict=True))


def _write_rows(path: Path, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    """Numbers with all digits, nothing where there is none."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return value
