"""`ffshare assign`: molecules in, labels out."""

import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter

from ffshare import __version__
from ffshare.assign import LABEL_SCHEMA, MOLECULE_SCHEMA, Scheme
from ffshare.cli.console import note, print_json
from ffshare.cli.labelling import Input, LabelledChunk, Labeller, Workers, in_chunks, note_failures, scheme_of
from ffshare.cli.outputs import CsvTables, JsonTables, OutputFiles, TableWriter
from ffshare.data_files import checksum
from ffshare.molecules import STANDARD_INPUT, Failure

# Terms without a rule that are named one by one; all of them are in the labels, with no rule.
_SHOWN = 10

_FAILURE_HEADS = ("molecule_idx", "file", "line", "name", "input", "reason", "advice")


def assign(
    *inputs: Input,
    scheme: str,
    out: Path | None = None,
    workers: Workers = 1,
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
    read or labelled, and why). Without --out the labels go to standard output,
    as CSV or with --json as JSON.

    Args:
        inputs: SMILES files (.smi), tables (.csv, .tsv, .parquet), SD files (.sdf), each also .gz; directories; - for
            standard input.
        scheme: A force field by name (openff-2.3.0) or file (.offxml, .toml), several with commas between are appended;
            or another scheme: gaff, gaff2, gaff-antechamber, gaff2-antechamber, mmff94, mmff94s, alkethoh-types, a
            folder of an atom-typed force field, untied, hashed:SCHEME, hashed-element:SCHEME.
        out: File for the labels: .parquet, .csv or .json.
        workers: Processes to use.
        strict: End at the first molecule that cannot be used, and write nothing.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        json: Print JSON: the summary, or without --out the labels.
    """
    chosen = scheme_of(scheme, mode)
    chunks = in_chunks(
        Labeller(scheme=chosen),
        inputs,
        workers=workers,
        strict=strict,
        smiles_column=smiles_column,
        name_column=name_column,
    )
    settings = {
        "workers": workers,
        "strict": strict,
        "smiles_column": smiles_column,
        "name_column": name_column,
        "mode": mode,
    }
    summary = Summary(chosen)
    with ExitStack() as stack:
        output: LabelFiles | LabelStream
        if out is None:
            output = stack.enter_context(LabelStream(as_json=json))
        else:
            files = stack.enter_context(OutputFiles(inputs))
            output = LabelFiles(files, out, provenance(chosen, inputs, settings))
        for chunk in chunks:
            output.take(chunk)
            summary.take(chunk)
    summary.show(out, as_json=json)


def provenance(scheme: Scheme, inputs: tuple[str, ...], settings: dict[str, Any]) -> dict[str, Any]:
    """What made an output: version, scheme, checksums of force field and inputs, settings.

    Args:
        scheme: The scheme.
        inputs: Paths, or '-', which has no checksum.
        settings: Options of the command.

    Returns:
        A dictionary fit for JSON.
    """
    return {
        "ffshare": __version__,
        "scheme": scheme.name,
        "force_field_checksums": dict(scheme.checksums),
        "input_checksums": {path: _checksum(path) for path in inputs},
        "settings": settings,
    }


def _checksum(given: str) -> str | None:
    return checksum(Path(given)) if given != STANDARD_INPUT and Path(given).is_file() else None


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
        self._failures = files.rows(out.with_suffix(".failures.csv"), _FAILURE_HEADS)

    def take(self, chunk: LabelledChunk) -> None:
        """Append what a chunk became."""
        self._labels.write(chunk.labels)
        self._molecules.write(chunk.molecules)
        self._failures.writerows(map(_failure_row, chunk.failures))


class LabelStream:
    """Labels on standard output, ended when the block ends without an error; failures on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        """Start the output.

        Args:
            as_json: Whether the labels are a JSON array; else they are CSV.
        """
        self._labels: TableWriter = JsonTables(sys.stdout) if as_json else CsvTables(sys.stdout, LABEL_SCHEMA)

    def take(self, chunk: LabelledChunk) -> None:
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


def _failure_row(failure: Failure) -> tuple[object, ...]:
    return (
        failure.index,
        failure.path,
        failure.line,
        failure.name,
        failure.text,
        failure.reason,
        failure.advice,
    )


class Summary:
    """The numbers of a run, and the first terms without a rule."""

    def __init__(self, scheme: Scheme) -> None:
        """Nothing read yet.

        Args:
            scheme: The scheme that labels.
        """
        self._scheme = scheme.name
        self._numbers = dict.fromkeys(
            ("read", "labelled", "failed", "terms", "unassigned", "guessed", "undefined_stereo"), 0
        )
        self._unassigned: list[dict[str, Any]] = []
        self._frustrated: list[str] = []
        self._arbitrary: list[str] = []

    def take(self, chunk: LabelledChunk) -> None:
        """Add what a chunk became."""
        added = {
            "read": chunk.n_read,
            "labelled": chunk.tally.n_molecules,
            "failed": len(chunk.failures),
            "terms": len(chunk.labels),
            "unassigned": len(chunk.unassigned),
            "guessed": len(chunk.labels) - chunk.labels["fallback"].null_count,
            "undefined_stereo": chunk.n_undefined_stereo,
        }
        self._numbers = {key: self._numbers[key] + number for key, number in added.items()}
        self._frustrated += chunk.frustrated
        self._arbitrary += chunk.arbitrary
        self._unassigned += chunk.unassigned.slice(0, _SHOWN - len(self._unassigned)).to_pylist()

    def show(self, out: Path | None, *, as_json: bool) -> None:
        """Print the numbers; where labels went to standard output, to standard error."""
        numbers = self._numbers
        for term in self._unassigned:
            atoms = "-".join(map(str, term["atoms"]))
            name = term["molecule"] or f"molecule {term['molecule_idx']}"
            note(f"no rule: {name}: {term['section']} {atoms} ({term['elements']})")
        if numbers["unassigned"] > len(self._unassigned):
            note(f"no rule: {numbers['unassigned'] - len(self._unassigned):,} more terms, all in the labels")
        if numbers["guessed"]:
            note(f"values that a named fall-back gave: {numbers['guessed']:,}, see the column fallback")
        if self._frustrated:
            note(f"frustrated, so that their pair types cannot be told apart: {', '.join(self._frustrated)}")
        if self._arbitrary:
            note(f"one of several equivalent places chosen for a charge or double bonds: {', '.join(self._arbitrary)}")
        if numbers["undefined_stereo"]:
            note(f"molecules with undefined stereochemistry, labelled as given: {numbers['undefined_stereo']:,}")
        line = (
            f"{numbers['read']:,} molecules read = {numbers['labelled']:,} labelled + {numbers['failed']:,} failed; "
            f"{numbers['terms']:,} terms, {numbers['unassigned']:,} without a rule ({self._scheme})"
        )
        odd = {"frustrated": self._frustrated, "arbitrary": self._arbitrary}
        if out is None:
            note(line)
        elif as_json:
            print_json({"scheme": self._scheme, **numbers, **odd, "out": str(out)})
        else:
            print(f"{line} → {out}")
            if numbers["failed"]:
                note(f"what failed, and why: {out.with_suffix('.failures.csv')}")
