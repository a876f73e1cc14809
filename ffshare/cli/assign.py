"""`ffshare assign`: molecules in, labels out."""

import json as json_module
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter

from ffshare import __version__
from ffshare.assign import LABEL_SCHEMA, MOLECULE_SCHEMA, Scheme
from ffshare.assign.library import (
    FAILURE_SCHEMA,
    PARTITION_SIZE,
    LabelCache,
    LabelFolder,
    Labelled,
    Labeller,
    LabelNumbers,
)
from ffshare.cli.console import note, print_json, progress_bar
from ffshare.cli.labelling import (
    Input,
    Scheduler,
    Workers,
    in_chunks,
    interruptible,
    note_failures,
    positive,
    scheme_of,
)
from ffshare.cli.outputs import CsvTables, JsonTables, OutputFiles, TableWriter
from ffshare.cli.provenance import checksums_by_name, provenance
from ffshare.errors import InputError
from ffshare.molecules import STANDARD_INPUT, Entry, Failure, read_entries
from ffshare.parallel import Engine


def assign(
    *inputs: Input,
    scheme: str,
    out: Path | None = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    partition: Annotated[int, Parameter(validator=positive)] = PARTITION_SIZE,
    cache: Path | None = None,
    cache_size: Annotated[float, Parameter(validator=positive)] = 4.0,
    strict: bool = False,
    smiles_column: str | None = None,
    name_column: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Label every bond, angle, torsion, improper and atom of molecules with the rule that gives its parameter.

    One row a term: molecule_idx, molecule, section, atoms, rule_id, pattern and fallback; rule_id and pattern are empty
    where no rule matches, fallback where the value is the scheme's own and no guess. Beside labels.parquet stand
    labels.molecules.parquet (mapped SMILES: atom i carries map number i+1) and labels.failures.csv (what could not be
    read or labelled, and why). Without --out the labels go to standard output, as CSV or with --json as JSON.

    A name without suffix is a folder, for libraries: the same three tables as Parquet data sets in parts, and
    manifest.json. A run that was stopped, in whatever way, goes on there when it is started again, and ends in the same
    bytes; parts that are gone or damaged are made again.

    Args:
        inputs: SMILES files (.smi), tables (.csv, .tsv, .parquet), SD files (.sdf), each also .gz; directories; - for
            standard input.
        scheme: A force field by name (openff-2.3.0) or file (.offxml, .toml), several with commas between are appended;
            or another scheme: gaff, gaff2, gaff-antechamber, gaff2-antechamber, mmff94, mmff94s, alkethoh-types, a
            folder of an atom-typed force field, untied, hashed:SCHEME, hashed-element:SCHEME.
        out: File for the labels: .parquet, .csv or .json; or a folder, which is a name without suffix.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, instead of processes; its workers must see the folder.
        partition: Molecules of a part of a folder.
        cache: Folder on a disk of this machine that keeps labels by input, for runs that meet the same inputs again.
        cache_size: Size that the cache may reach [GB]; then the oldest labels make room.
        strict: End at the first molecule that cannot be used; without a folder, nothing is written then.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        json: Print JSON: the summary, or without --out the labels.
    """
    chosen, engine = scheme_of(scheme, mode), Engine(workers=workers, scheduler=scheduler)
    kept = None if cache is None else _label_cache(cache, chosen, mode, cache_size)
    labeller = Labeller(scheme=chosen, cache=kept)
    # Neither workers nor cache: they do not show in the outcome.
    settings = {"smiles_column": smiles_column, "name_column": name_column, "mode": mode}
    if out is not None and is_folder(out):
        _refuse_inside(inputs, out)
        entries = read_entries(inputs, smiles_column=smiles_column, name_column=name_column)
        # Nor whether it is strict: parts that are there are those of any run.
        made_from = provenance(chosen, inputs, settings)
        numbers = _into_folder(LabelFolder(out, made_from, partition, strict=strict), labeller, entries, engine)
    else:
        numbers = LabelNumbers()
        chunks = in_chunks(
            labeller, inputs, engine=engine, strict=strict, smiles_column=smiles_column, name_column=name_column
        )
        with ExitStack() as stack:
            output: LabelFiles | LabelStream
            if out is None:
                output = stack.enter_context(LabelStream(as_json=json))
            else:
                files = stack.enter_context(OutputFiles(inputs))
                output = LabelFiles(files, out, provenance(chosen, inputs, {"strict": strict, **settings}))
            for chunk in chunks:
                output.take(chunk)
                numbers += chunk.numbers
    _show(chosen.name, numbers, out, as_json=json)


def is_folder(out: Path) -> bool:
    """Whether a name for an output is that of a folder: it has no suffix."""
    return not out.suffix and not out.name.startswith(".")


def _refuse_inside(inputs: tuple[str, ...], out: Path) -> None:
    """Refuse a folder for labels among the inputs: the next run would label its own labels."""
    for given in inputs:
        folder = Path(given).resolve()
        if given != STANDARD_INPUT and folder.is_dir() and out.resolve().is_relative_to(folder):
            raise InputError(f"{out} lies in {given}, which is input; name a folder outside of it")


def _into_folder(
    folder: LabelFolder, labeller: Labeller, entries: Iterable[Entry | Failure], engine: Engine
) -> LabelNumbers:
    """Make the parts of a folder that are not there yet."""
    with folder, progress_bar("labelling") as bar:
        waiting = interruptible(folder.waiting(entries), engine)
        with closing(waiting), closing(engine.map(folder.writer(labeller), waiting)) as parts:
            for part in parts:
                folder.take(part)
                bar.update(bar.task_ids[0], completed=folder.n_done)
        folder.finish()
        if folder.n_kept:
            note(f"{folder.path}: {folder.n_kept:,} molecules were there already")
    return folder.numbers


def _label_cache(folder: Path, scheme: Scheme, mode: str, gigabytes: float) -> LabelCache:
    """A cache of the labels that a scheme gives: those of other schemes, files and versions are never found there."""
    salt = json_module.dumps([__version__, scheme.name, checksums_by_name(scheme), mode])
    return LabelCache(folder=folder.resolve(), salt=salt, most_bytes=round(gigabytes * 1e9))


class LabelFiles:
    """Labels, molecules and failures in three files that appear together."""

    def __init__(self, files: OutputFiles, out: Path, metadata: dict[str, Any]) -> None:
        """Open them under temporary names.

        Args:
            files: The group of files they belong to.
            out: File for the labels; the others stand beside it.
            metadata: What made them.
        """
        self._labels = files.table(out, LABEL_SCHEMA, metadata)
        self._molecules = files.table(out.with_suffix(".molecules.parquet"), MOLECULE_SCHEMA, metadata)
        self._failures = files.rows(out.with_suffix(".failures.csv"), FAILURE_SCHEMA.names)

    def take(self, chunk: Labelled) -> None:
        """Append what a chunk became."""
        self._labels.write(chunk.labels)
        self._molecules.write(chunk.molecules)
        self._failures.writerows(map(dict.values, chunk.failure_table().to_pylist()))


class LabelStream:
    """Labels on standard output, ended when the block ends without an error; failures on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        """Start the output.

        Args:
            as_json: Whether the labels are a JSON array; else they are CSV.
        """
        self._labels: TableWriter = JsonTables(sys.stdout) if as_json else CsvTables(sys.stdout, LABEL_SCHEMA)

    def take(self, chunk: Labelled) -> None:
        """Append what a chunk became."""
        self._labels.write(chunk.labels)
        note_failures(chunk.failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._labels.close()


def _show(scheme: str, numbers: LabelNumbers, out: Path | None, *, as_json: bool) -> None:
    """Print what a run found; where labels went to standard output, to standard error."""
    for term in numbers.missing:
        atoms = "-".join(map(str, term["atoms"]))
        name = term["molecule"] or f"molecule {term['molecule_idx']}"
        note(f"no rule: {name}: {term['section']} {atoms} ({term['elements']})")
    if numbers.unassigned > len(numbers.missing):
        note(f"no rule: {numbers.unassigned - len(numbers.missing):,} more terms, all in the labels")
    if numbers.guessed:
        note(f"values that a named fall-back gave: {numbers.guessed:,}, see the column fallback")
    odd = {
        "frustrated, so that their pair types cannot be told apart": (numbers.frustrated, numbers.n_frustrated),
        "one of several equivalent places chosen for a charge or double bonds": (
            numbers.arbitrary,
            numbers.n_arbitrary,
        ),
    }
    for what, (names, n_molecules) in odd.items():
        if names:
            more = f" and {n_molecules - len(names):,} more" if n_molecules > len(names) else ""
            note(f"{what}: {', '.join(names)}{more}")
    if numbers.undefined_stereo:
        note(f"molecules with undefined stereochemistry, labelled as given: {numbers.undefined_stereo:,}")
    line = (
        f"{numbers.read:,} molecules read = {numbers.labelled:,} labelled + {numbers.failed:,} failed; "
        f"{numbers.terms:,} terms, {numbers.unassigned:,} without a rule ({scheme})"
    )
    if out is None:
        note(line)
    elif as_json:
        print_json({"scheme": scheme, **_summary(numbers), "out": str(out)})
    else:
        print(f"{line} → {out}")
        if numbers.failed:
            note(f"what failed, and why: {out / 'failures' if is_folder(out) else out.with_suffix('.failures.csv')}")


def _summary(numbers: LabelNumbers) -> Mapping[str, Any]:
    """What is printed as JSON: terms without a rule and failures are in the tables."""
    return {key: value for key, value in numbers.to_json().items() if key not in ("missing", "failures")}
