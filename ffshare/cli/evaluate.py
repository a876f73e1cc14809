"""`ffshare evaluate`: errors of a force field on reference data."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from operator import add
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from cyclopts import Parameter

from ffshare.cli.console import note, print_json, print_table, progress_bar
from ffshare.cli.evaluation import EvaluatedChunk, Evaluator, evaluated
from ffshare.cli.labelling import Scheduler, Workers, note_failures, scheme_of
from ffshare.cli.outputs import OutputFiles
from ffshare.cli.provenance import provenance
from ffshare.errors import InputError
from ffshare.fit.evaluate import ErrorSums
from ffshare.fit.reference import all_have_charges
from ffshare.fit.run import reference_path
from ffshare.parallel import Engine, tree_sum

Charges = Literal["reference", "openff", "nagl", "library", "gasteiger", "none"]
Kind = Literal["arrow", "extxyz", "qcschema", "spice", "forcebalance", "scans"]

_WORST = 10

_TOTAL_HEADS = {
    "what": "errors of",
    "molecules": "molecules",
    "n": "n",
    "rmse": "RMSE",
    "mae": "MAE",
    "reference_rms": "RMS of reference",
    "unit": "unit",
}
_WORST_HEADS = {
    "molecule": "molecule",
    "n_conformers": "conformers",
    "energy_rmse": "energy RMSE",
    "energy_mae": "energy MAE",
    "force_rmse": "force RMSE",
    "force_mae": "force MAE",
}
_SKIPPED_HEADS = {"skipped": "reason", "molecules": "molecules", "example": "example"}
_SCHEMA = pa.schema(
    [
        ("molecule", pa.string()),
        ("smiles", pa.string()),
        ("n_conformers", pa.int64()),
        ("n_energies", pa.int64()),
        ("energy_rmse", pa.float64()),
        ("energy_mae", pa.float64()),
        ("energy_reference_rms", pa.float64()),
        ("n_forces", pa.int64()),
        ("force_rmse", pa.float64()),
        ("force_mae", pa.float64()),
        ("force_reference_rms", pa.float64()),
        ("skipped", pa.string()),
    ]
)


def evaluate(
    *,
    scheme: str,
    reference: list[str],
    charges: Charges | None = None,
    out: Path | None = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    kind: Kind | None = None,
    smiles: str | None = None,
    level: str | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare the energies and forces of a force field with reference data, per molecule and in total.

    Energies [kcal/mol] are taken from their mean over the conformers of a molecule; those of a molecule with one
    conformer say nothing and do not count. Of forces [kcal/mol/Å] every component counts. The RMS of the reference is
    the error of a model that is 0 everywhere. Molecules that the force field cannot compute are left out, with the
    reason.

    Args:
        scheme: A force field by name or file, or another scheme (gaff2, alkethoh-types, untied …).
        reference: File or folder of reference data: .parquet, .arrow, .xyz, QCSchema .json, SPICE .hdf5, qdata.txt; or
            the name of data that ship with ffshare (gfn2); give the option once for each.
        charges: reference: the column charges of the data, the default where every molecule has them; openff: library
            charges, NAGL for molecules that these do not cover, the default otherwise; nagl; library; gasteiger:
            rough, for tests; none: no electrostatics.
        out: File for a row a molecule: .csv, .parquet or .json.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, whose workers are used instead.
        kind: Format of the reference data, where the name of the file does not tell it.
        smiles: SMILES of the molecule of files that give none.
        level: Level of theory of files that do not state theirs; of files that hold several, the one to take.
        energy_unit: Energy unit of XYZ files; eV by default.
        length_unit: Length unit of XYZ files; angstrom by default.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        json: Print everything as JSON.
    """
    engine = Engine(workers=workers, scheduler=scheduler)
    chosen = scheme_of(scheme, mode)
    reference = [str(reference_path(name)) for name in reference]
    if charges is None:
        charges = "reference" if all_have_charges(*reference, kind=kind) else "openff"
    options = {
        "kind": kind,
        "smiles": smiles,
        "level": level,
        "energy_unit": energy_unit,
        "length_unit": length_unit,
    }
    found: list[EvaluatedChunk] = []
    chunks = evaluated(Evaluator(scheme=chosen, charges=charges), reference, engine, options)
    with closing(chunks), progress_bar("evaluating") as bar:
        for chunk in chunks:
            found.append(chunk)
            note_failures(chunk.failures)
            bar.advance(bar.task_ids[0], len(chunk.rows))
    rows = [row for chunk in found for row in chunk.rows]
    failures = [failure for chunk in found for failure in chunk.failures]
    if out is not None:
        settings = {**options, "charges": charges, "mode": mode}
        with OutputFiles(reference) as files:
            table = files.table(out, _SCHEMA, provenance(chosen, tuple(reference), settings))
            table.write(pa.Table.from_pylist(rows, schema=_SCHEMA))
    totals = [
        _total("energies", "kcal/mol", rows, "n_energies", [sums for chunk in found for sums in chunk.energies]),
        _total("forces", "kcal/mol/Å", rows, "n_forces", [sums for chunk in found for sums in chunk.forces]),
    ]
    used = [row for row in rows if row["skipped"] is None]
    numbers = {
        "read": len(rows) + len(failures),
        "evaluated": len(used),
        "skipped": len(rows) - len(used),
        "failed": len(failures),
    }
    if json:
        shown = [{"place": f"{one.path}, line {one.line}", "reason": one.reason} for one in failures]
        print_json(
            {
                "scheme": chosen.name,
                "charges": charges,
                "molecules": numbers,
                "totals": totals,
                "by_molecule": rows,
                "failures": shown,
            }
        )
        return
    title = f"{chosen.name}: errors on {len(used):,} molecules, {charges} charges"
    print_table(title, totals, _TOTAL_HEADS)
    if used:
        print_table("molecules with the largest errors", _worst(used), _WORST_HEADS)
    if numbers["skipped"]:
        print_table("molecules left out", _skipped(rows), _SKIPPED_HEADS)
    if not used:
        raise InputError(f"none of {numbers['read']:,} molecules could be evaluated; the reasons are above")
    note(
        f"{numbers['read']:,} molecules read = {numbers['evaluated']:,} evaluated + {numbers['skipped']:,} left out + "
        f"{numbers['failed']:,} failed"
    )


def _total(
    what: str, unit: str, rows: Sequence[dict[str, Any]], count: str, by_molecule: Iterable[ErrorSums]
) -> dict[str, Any]:
    sums = tree_sum(by_molecule, add) or ErrorSums()
    return {
        "what": what,
        "molecules": sum(row[count] > 0 for row in rows),
        "n": sums.count,
        "rmse": sums.rmse,
        "mae": sums.mae,
        "reference_rms": sums.reference_rms,
        "unit": unit,
    }


def _worst(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The molecules with the largest errors of energies or, where no energy counts, of forces."""
    key = "energy_rmse" if any(row["energy_rmse"] is not None for row in rows) else "force_rmse"
    return sorted(rows, key=lambda row: row[key] or 0.0, reverse=True)[:_WORST]


def _skipped(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reasons for which molecules were left out, commonest first."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        if row["skipped"] is not None:
            groups.setdefault(row["skipped"], []).append(row["molecule"])
    found = [{"skipped": why, "molecules": len(of), "example": of[0]} for why, of in groups.items()]
    return sorted(found, key=lambda row: -int(row["molecules"]))
