"""Fitted numbers of an atom-typed force field written back into a folder of its own.

The folder has the files of the one that the force field came from. In the CSV files numbers that differ are replaced,
in AMBER's units (half of ffshare's force constants, degrees); all other text stays, byte for byte. Rules that were made
for the molecules at hand, such as values of the empirical formulas, stand in no file and are left out here: see
`ffshare.rules.value_table`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.csv_tables import FORMS, Rows, read_rows
from ffshare.assign.atom_types.definition import AtomTypedForceField, load_definition
from ffshare.errors import Fault, OutputError, RuleFileError
from ffshare.rules.locate import TYPING_FILE
from ffshare.rules.table import RuleTable
from ffshare.rules.write_back import number_text
from ffshare.whole_files import replacing

# Column of the file to that of the table, the unit of the table and the unit that the file's numbers have.
_WRITTEN: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "Bonds": {"k": ("k", "kcal/mol", "(2 * kcal/mol)"), "length": ("length", "Å", "Å")},
    "Angles": {"k": ("k", "kcal/mol", "(2 * kcal/mol)"), "angle": ("angle", "rad", "degree")},
    "ProperTorsions": {"barrier": ("k", "kcal/mol", "kcal/mol")},
    "ImproperTorsions": {"barrier": ("k", "kcal/mol", "kcal/mol")},
    "vdW": {"rmin_half": ("rmin_half", "Å", "Å"), "epsilon": ("epsilon", "kcal/mol", "kcal/mol")},
}
_OTHER_FILES = ("settings.toml", "types.csv", "formula.toml", TYPING_FILE, "README.md", "LICENSE")


def write_fitted_folder(folder: str | Path, out: str | Path, tables: Mapping[str, RuleTable]) -> int:
    """Write an atom-typed force field with other numbers.

    Args:
        folder: The folder that it was loaded from.
        out: The folder to write, new or empty.
        tables: Tables as the scheme or an assignment of it has them, with other values in their free columns. Sections
            that are left out, and rules that were added for molecules, do not matter.

    Returns:
        How many numbers differ.

    Raises:
        RuleFileError: The folder is faulty, or a value cannot stand in its files: all are listed.
        OutputError: The folder cannot be written, or holds files.

    Example:
        >>> import tempfile
        >>> from dataclasses import replace
        >>> from ffshare.data_files import data_directory
        >>> folder = data_directory("rules") / "alkethoh-types"
        >>> bonds = load_definition(folder).tables["Bonds"]
        >>> k = replace(bonds.columns["k"], values=bonds.columns["k"].values * 1.5)
        >>> with tempfile.TemporaryDirectory() as out:
        ...     n_changed = write_fitted_folder(folder, out, {"Bonds": replace(bonds, columns={"k": k})})
        ...     n_changed, Path(out, "bonds.csv").read_text().splitlines()[1]
        (8, 'CT-CT,465.0,1.526')
    """
    source, target = Path(folder), Path(out)
    definition = load_definition(source)
    texts: dict[str, bytes] = {}
    faults: list[Fault] = []
    n_changed = 0
    for section, (file, *_) in FORMS.items():
        data = (source / file).read_bytes()
        if section in tables:
            data, count = _edited(data, section, definition, tables[section], faults)
            n_changed += count
        texts[file] = data
    if faults:
        raise RuleFileError(str(source), faults)
    texts |= {name: (source / name).read_bytes() for name in _OTHER_FILES if (source / name).is_file()}
    try:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise OutputError(f"cannot write {target}: the folder holds files; name a new or empty one")
        for name, data in texts.items():
            with replacing(target / name) as unfinished:
                unfinished.write_bytes(data)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}; choose another folder") from error
    return n_changed


def _edited(
    data: bytes, section: str, definition: AtomTypedForceField, table: RuleTable, faults: list[Fault]
) -> tuple[bytes, int]:
    """A CSV file with the values of a table, and how many differ. What cannot be written is a fault."""
    file, _, columns = FORMS[section]
    known = definition.tables[section]
    rows, _ = read_rows(section, Path(definition.folder), definition.elements)
    assert rows is not None, "the definition has been loaded"
    if table.ids[: len(known)] != known.ids or any(table.lines[len(known) :]):
        faults.append(Fault(f"{section}: the rules are not those of {definition.name}, in its order"))
        return data, 0
    lines = data.decode().split("\n")
    count = 0
    for place, name in enumerate(columns, start=1):
        if name not in _WRITTEN[section]:
            continue
        column, unit, written = _WRITTEN[section][name]
        if column not in table.columns:
            continue
        old, new = _of_rows(known, column, rows), _of_rows(table, column, rows)
        for row in np.flatnonzero(old != new).tolist():
            value = float(new[row])
            reason = _unfit(name, value)
            if reason:
                faults.append(Fault(f"{file}: {rows.texts[row]!r}: {name} is {value:g}; expected {reason}", row + 2))
                continue
            cells = lines[row + 1].split(",")
            end = "\r" if cells[place].endswith("\r") else ""
            cells[place] = number_text(value, unit, written) + end
            lines[row + 1] = ",".join(cells)
            count += 1
    return "\n".join(lines).encode(), count


def _of_rows(table: RuleTable, column: str, rows: Rows) -> NDArray[np.float64]:
    """The value of a column in each row of the file. Rows that repeat an improper follow the first, which counts."""
    found = np.full(len(rows.keys), np.nan)
    entries = table.columns[column]
    # Lines count from 1, and the first is the heading; terms of a torsion follow one another.
    lines = np.array(table.lines, dtype=np.int64)[entries.rule_idxs]
    from_file = lines > 0
    found[lines[from_file] - 2 + entries.terms[from_file]] = entries.values[from_file]
    first: dict[object, int] = {}
    if rows.section == "ImproperTorsions":
        for row, key in enumerate(rows.keys):
            found[row] = found[first.setdefault(key, row)]
    return found


def _unfit(name: str, value: float) -> str:
    """What a value of a column must be, where it is not; else ''."""
    if not np.isfinite(value):
        return "a finite number"
    if name in ("k", "rmin_half", "epsilon") and value < 0:
        return "0 or more"
    if name == "length" and value <= 0:
        return "more than 0"
    if name == "angle" and not 0 < value <= np.pi:
        return "more than 0 and up to pi"
    return ""
