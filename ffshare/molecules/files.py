"""Files, directories and standard input → a stream of entries.

Every input is looked at before the first molecule comes: that it is there, that its format is known, that its first
molecule can be cut out. All faults are reported at once, so that a long run does not end at its last file. Then the
files are read one after the other, each as a stream, in the order in which they were given; a directory gives all its
files of known format, those of its subdirectories too, ordered by path.
"""

import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from ffshare.errors import InputError
from ffshare.molecules.columns import Columns
from ffshare.molecules.csv_files import read_csv, read_tsv
from ffshare.molecules.entries import Entry, Failure, plain_text
from ffshare.molecules.parquet_files import read_parquet
from ffshare.molecules.sdf_files import looks_like_sdf, read_sdf, sdf_entries
from ffshare.molecules.smiles_files import read_smiles, smiles_entries
from ffshare.molecules.sources import DamageError, Source

Reader = Callable[[Source, Iterator[int], Columns], Iterator[Entry | Failure]]

STANDARD_INPUT = "-"

READERS: dict[str, Reader] = {
    ".smi": read_smiles,
    ".smiles": read_smiles,
    ".ism": read_smiles,
    ".txt": read_smiles,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".sdf": read_sdf,
    ".sd": read_sdf,
    ".mol": read_sdf,
    ".parquet": read_parquet,
    ".pq": read_parquet,
}
_NEVER_GZIPPED = frozenset([".parquet", ".pq"])
# A text file in a directory is more often a note than a list of SMILES.
_NOT_FROM_DIRECTORIES = frozenset([".txt"])


def read_entries(
    inputs: Sequence[str | Path],
    *,
    smiles_column: str | None = None,
    name_column: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Entry | Failure]:
    """The molecules of files, directories and standard input, in order, as text.

    Formats go by suffix: SMILES lines (.smi, .smiles, .ism, .txt), tables (.csv, .tsv), SD and MOL files (.sdf, .sd,
    .mol), each also with .gz, and Parquet (.parquet, .pq). Standard input (``-``) is an SD file if its beginning looks
    like one, and SMILES lines otherwise. In a directory, .txt files and names that start with a dot or an underscore
    are left out.

    Args:
        inputs: Paths, or '-' for standard input.
        smiles_column: Heading of the SMILES column of tables; by default the first of `SMILES_COLUMNS` that is there.
        name_column: Heading of the name column of tables; by default the first of `NAME_COLUMNS` that is there.
        stdin: What '-' reads; standard input by default.

    Returns:
        An iterator over all molecules; those that cannot be cut out of their file come as failures. Memory does not
        grow with the input.

    Raises:
        InputError: Here, for everything that is wrong with the inputs as far as their first molecule; while iterating,
            when a file can no longer be read, or nothing held a molecule.

    Example:
        >>> import io
        >>> for entry in read_entries(["-"], stdin=io.BytesIO(b"CCO ethanol")):
        ...     print(entry.index, entry.line, entry.text, entry.name)
        0 1 CCO ethanol
    """
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    columns = Columns(smiles=smiles_column, name=name_column)
    sources, faults = [], []
    if not given:
        faults.append("no input given; name a file or a directory, or '-' for standard input")
    if list(map(str, given)).count(STANDARD_INPUT) > 1:
        faults.append("standard input ('-') is given twice; it can be read once")
    for path in given:
        try:
            found = _sources(str(path), stdin)
        except InputError as error:
            faults.append(str(error))
        except OSError as error:  # of a name longer than the system takes, for instance
            faults.append(f"{_shown(Path(path))}: cannot be looked at: {error.strerror or error}")
        else:
            faults.extend(_faults(found, columns))
            sources.extend(found)
    if len(faults) > 1:
        raise InputError("\n  ".join([f"{len(faults)} faults in the input", *faults]))
    if faults:
        raise InputError(faults[0])
    return _entries(sources, columns)


def _entries(sources: Sequence[Source], columns: Columns) -> Iterator[Entry | Failure]:
    indices = count()
    for source in sources:
        yield from _source_entries(source, indices, columns)
    if next(indices) == 0:
        shown = ", ".join(source.shown for source in sources[:3]) + (", …" if len(sources) > 3 else "")
        raise InputError(f"{shown}: no molecule in the whole input")


def _source_entries(source: Source, indices: Iterator[int], columns: Columns) -> Generator[Entry | Failure, None, None]:
    reader = _read_standard_input if source.path is None else READERS[suffix_of(source.path)]
    try:
        yield from reader(source, indices, columns)
    except DamageError as damage:
        yield Failure(
            index=next(indices),
            path=source.shown,
            line=damage.line,
            name="",
            text="",
            reason=damage.reason,
            advice=damage.advice,
        )
    except OSError as error:
        raise InputError(f"{source.shown}: cannot be read: {error.strerror or error}") from error


def _read_standard_input(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    blocks = source.blocks()
    head = next(blocks)
    reader = sdf_entries if looks_like_sdf(head) else smiles_entries
    return reader(chain([head], blocks), source.shown, indices)


def _faults(sources: Sequence[Source], columns: Columns) -> Iterator[str]:
    """What is wrong with files as far as their first molecule. One among several from a directory may hold none."""
    for source in sources:
        # What is not a regular file (standard input, a pipe) can be read only once.
        if source.path is None or not source.path.is_file():
            continue
        try:
            with closing(_source_entries(source, count(), columns)) as entries:
                if next(entries, None) is None and len(sources) == 1:
                    yield f"{source.shown}: holds no molecule; check that it is the right file"
        except InputError as error:
            yield str(error)


def suffix_of(path: Path) -> str:
    """The suffix that tells a file's format, in lower case, without .gz; '' where it is none that is known.

    Example:
        >>> suffix_of(Path("drugs.SMI.gz"))
        '.smi'
    """
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    return "" if suffix not in READERS or (name.endswith(".gz") and suffix in _NEVER_GZIPPED) else suffix


def _sources(given: str, stdin: BinaryIO | None) -> list[Source]:
    if given == STANDARD_INPUT:
        return [Source(shown=STANDARD_INPUT, path=None, stream=sys.stdin.buffer if stdin is None else stdin)]
    path = Path(given)
    shown = _shown(path)
    known = f"{' '.join(READERS)}, and .gz of those that are text"
    if path.is_dir():
        found = sorted(file for file in _files_below(path) if suffix_of(file) not in {"", *_NOT_FROM_DIRECTORIES})
        if not found:
            raise InputError(f"{shown}: no file of known format in this directory; known are {known}")
        return [Source(shown=_shown(file), path=file, stream=None) for file in found]
    if not path.exists():
        raise InputError(f"{shown}: no such file or directory; check the path")
    if not suffix_of(path):
        raise InputError(
            f"{shown}: unknown suffix {plain_text(path.suffix)!r}; known are {known}; convert it to SMILES or SDF"
        )
    return [Source(shown=shown, path=path, stream=None)]


def _files_below(directory: Path) -> Iterator[Path]:
    """All files of a directory tree; links to directories are not followed, hidden names left out."""
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "_"))]
        yield from (Path(folder, name) for name in names if not name.startswith((".", "_")))


def _shown(path: Path) -> str:
    """A path as text of any encoding can hold it: names of files need not be UTF-8."""
    return plain_text(str(path), longest=None)
