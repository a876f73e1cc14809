"""`ffshare assign`: molecules in, labels out."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ffshare import __version__
from ffshare.assign import LABEL_SCHEMA, MOLECULE_SCHEMA, Scheme
from ffshare.cli.console import note, print_json
from ffshare.cli.labelling import LabelledChunk, Labeller, in_chunks, scheme_of
from ffshare.cli.outputs import CsvTables, OutputFiles
from ffshare.data_files import checksum
from ffshare.molecules import Failure

# Terms without a rule that are named one by one; all of them are in the labels, with no rule.
_SHOWN = 10

_FAILURE_HEADS = ("molecule_idx", "file", "line", "name", "input", "reason", "advice")


def assign(
    *inputs: str,
    scheme: str,
    out: Path | None = None,
    workers: int = 1,
    strict: bool = False,
    smiles_column: str | None = None,
    name_column: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Label every bond, angle, torsion, improper and atom of molecules with the rule that gives its parameter.

    One row a term: molecule_idx, molecule, section, atoms, rule_id and pattern, the last two empty where no rule
    matches. Beside labels.parquet stand labels.molecules.parquet (mapped SMILES: atom i carries map number i+1) and
    labels.failures.csv (what could not be read or labelled, and why). Without --out the labels go to standard output
    as CSV.

    Args:
        inputs: SMILES files (.smi), tables (.csv, .tsv, .parquet), SD files (.sdf), each also .gz; directories; - for
            standard input.
        scheme: A force field by name (openff-2.3.0) or file (.offxml, .toml); several with commas between are appended.
        out: File for the labels: .parquet, .csv or .json.
        workers: Processes to use.
        strict: End at the first molecule that cannot be used, and write nothing.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        json: Print the summary as JSON.
    """
    chosen = scheme_of(scheme, mode)
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
            output = LabelStream()
        else:
            output = LabelFiles(stack.enter_context(OutputFiles()), out, provenance(chosen, inputs, settings))
        chunks = in_chunks(
            Labeller(scheme=chosen, with_molecules=out is not None),
            inputs,
            workers=workers,
            strict=strict,
            smiles_column=smiles_column,
            name_column=name_column,
        )
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
        "input_checksums": {path: checksum(Path(path)) if Path(path).is_file() else None for path in inputs},
        "settings": settings,
    }


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
    """Labels as CSV on standard output, failures on standard error."""

    def __init__(self) -> None:
        """Write the heading."""
        self._labels = CsvTables(sys.stdout, LABEL_SCHEMA)

    def take(self, chunk: LabelledChunk) -> None:
        """Append what a chunk became."""
        self._labels.write(chunk.labels)
        for one in chunk.failures:
            note(f"{one.path} line {one.line} ({one.name or one.text}): {one.reason}; {one.advice}")


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
        self._numbers = dict.fromkeys(("read", "labelled", "failed", "terms", "unassigned", "undefined_stereo"), 0)
        self._unassigned: list[dict[str, Any]] = []

    def take(self, chunk: LabelledChunk) -> None:
        """Add what a chunk became."""
        added = {
            "read": chunk.n_read,
            "labelled": chunk.tally.n_molecules,
            "failed": len(chunk.failures),
            "terms": len(chunk.labels),
            "unassigned": len(chunk.unassigned),
            "undefined_stereo": chunk.n_undefined_stereo,
        }
        self._numbers = {key: self._numbers[key] + number for key, number in added.items()}
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
        if numbers["undefined_stereo"]:
            note(f"{numbers['undefined_stereo']:,} molecules leave stereochemistry undefined; labelled as given")
        line = (
            f"{numbers['read']:,} molecules read = {numbers['labelled']:,} labelled + {numbers['failed']:,} failed; "
            f"{numbers['terms']:,} terms, {numbers['unassigned']:,} without a rule ({self._scheme})"
        )
        if out is None:
            note(line)
        elif as_json:
            print_json({"scheme": self._scheme, **numbers, "out": str(out)})
        else:
            print(f"{line} → {out}")
            if numbers["failed"]:
                note(f"what failed, and why: {out.with_suffix('.failures.csv')}")
