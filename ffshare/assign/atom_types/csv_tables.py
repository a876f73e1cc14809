"""Rows of AMBER parameters in CSV files → rule tables.

The files hold AMBER's own numbers: k(x - x0)² for bonds and angles, degrees, the barrier of a torsion and its divisor
apart. Tables hold ffshare's: k/2 (x - x0)², so twice AMBER's k, and radians. One line is a row; of a torsion one line
is a term, and a negative periodicity says that the next line is a further term of the same torsion.

A row's id is its key as the file has it, ``ca-ca-n``; improper keys have the centre third.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.keys import ANY, Key, directed, of_improper
from ffshare.errors import Fault, RuleFileError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.content import read_content
from ffshare.rules.table import Column, RuleTable

# Section to file, number of types in a key, and columns after the key.
FORMS: Mapping[str, tuple[str, int, tuple[str, ...]]] = MappingProxyType(
    {
        "Bonds": ("bonds.csv", 2, ("k", "length")),
        "Angles": ("angles.csv", 3, ("k", "angle")),
        "ProperTorsions": ("propers.csv", 4, ("divisor", "barrier", "phase", "periodicity")),
        "ImproperTorsions": ("impropers.csv", 4, ("barrier", "phase", "periodicity")),
        "vdW": ("vdw.csv", 1, ("rmin_half", "epsilon")),
    }
)
_STRUCTURE = ("periodicity", "phase", "idivf")
_PERIODIC = "k*(1+cos(periodicity*theta-phase))"
_POTENTIALS = {
    "Bonds": "harmonic",
    "Angles": "harmonic",
    "ProperTorsions": _PERIODIC,
    "ImproperTorsions": _PERIODIC,
    "vdW": "Lennard-Jones-12-6",
}
# One for all rules: the columns say everything.
_NO_ATTRIBUTES: Mapping[str, str] = {}

# Values of a section by column and unit.
_Values = dict[tuple[str, str], NDArray[np.float64]]


@record
class Rows:
    """The rows of a section as its file has them."""

    section: str = doc("section")
    path: str = doc("the file")
    texts: tuple[str, ...] = doc("key of each row as written: ca-ca-n")
    keys: tuple[Key, ...] = doc("types of each row in canonical order, see `directed` and `of_improper`")
    values: NDArray[np.float64] = doc("numbers of each row as written, shape=(n_rows, n_columns)")

    def __post_init__(self) -> None:
        freeze_arrays(self, values=np.float64)

    @property
    def index(self) -> dict[Key, int]:
        """First row of each canonical key; as in AMBER's tleap, the first row of a file counts."""
        index: dict[Key, int] = {}
        for row, key in enumerate(dict.fromkeys(self.keys) if self.section == "ProperTorsions" else self.keys):
            index.setdefault(key, row)
        return index


def read_rows(section: str, folder: Path, types: Mapping[str, str]) -> tuple[Rows | None, list[Fault]]:
    """The rows of one section of a force field.

    Args:
        section: Bonds, Angles, ProperTorsions, ImproperTorsions or vdW.
        folder: Folder of the force field.
        types: Elements of its types, by type.

    Returns:
        The rows, None where they cannot be used, and what is wrong.
    """
    file, n_types, columns = FORMS[section]
    table, faults = read_csv(folder / file, ("type" if n_types == 1 else "types", *columns))
    if faults:
        return None, faults
    texts = tuple(row[0] for row in table)
    values = _numbers([row[1:] for row in table], columns, faults)
    split = [tuple(text.split("-")) for text in texts]
    faults += [
        Fault(f"{text!r}: {message}", line)
        for line, (text, key) in enumerate(zip(texts, split, strict=True), start=2)
        for message in _faults_of_key(section, key, n_types, types)
    ]
    if faults:
        return None, sorted(faults, key=lambda fault: fault.line or 0)
    make = of_improper if section == "ImproperTorsions" else directed
    rows = Rows(
        section=section, path=str(folder / file), texts=texts, keys=tuple(make(key) for key in split), values=values
    )
    return rows, [*_faults_of_values(rows), *_faults_of_order(rows)]


def read_csv(path: Path, header: tuple[str, ...]) -> tuple[list[list[str]], list[Fault]]:
    """The rows of a CSV file.

    Args:
        path: The file.
        header: Names of the columns that it must have.

    Returns:
        Rows below the header, each as wide as it, and what is wrong.
    """
    try:
        table = list(csv.reader(read_content(path).decode("utf-8").splitlines()))
    except RuleFileError as error:
        return [], list(error.faults)
    except (UnicodeDecodeError, csv.Error) as error:
        return [], [Fault(f"the file cannot be read: {error}")]
    first = table[0] if table else []
    if tuple(first) != header:
        return [], [Fault(f"the columns are {','.join(first) or 'missing'}; expected {','.join(header)}", 1)]
    rows = table[1:]
    faults = [
        Fault(f"{len(row)} values; expected {len(header)}: {','.join(header)}", line)
        for line, row in enumerate(rows, start=2)
        if len(row) != len(header)
    ]
    return rows, faults


def make_table(rows: Rows, settings: Mapping[str, str]) -> RuleTable:
    """Rows as a rule table.

    Args:
        rows: The rows of a section.
        settings: What the section says beyond its potential.

    Returns:
        The table: a rule a row, of torsions a rule a key.
    """
    firsts, rules, terms = _rules_and_terms(rows)
    ids = tuple(rows.texts[first] for first in firsts.tolist())
    return RuleTable(
        section=rows.section,
        ids=ids,
        patterns=ids,
        columns={
            name: Column(name=name, unit=unit, values=values, rule_idxs=rules, terms=terms, free=name not in _STRUCTURE)
            for (name, unit), values in _VALUES[rows.section](rows.values.T).items()
        },
        lines=tuple((firsts + 2).tolist()),
        sources=(rows.path,) * len(ids),
        attributes=(_NO_ATTRIBUTES,) * len(ids),
        settings={"potential": _POTENTIALS[rows.section], **settings},
    )


def _bond_values(columns: NDArray[np.float64]) -> _Values:
    return {("k", "kcal/mol/Å²"): 2.0 * columns[0], ("length", "Å"): columns[1]}


def _angle_values(columns: NDArray[np.float64]) -> _Values:
    return {("k", "kcal/mol/rad²"): 2.0 * columns[0], ("angle", "rad"): np.radians(columns[1])}


def _proper_values(columns: NDArray[np.float64]) -> _Values:
    divisors, barriers, phases, periodicities = columns
    return {
        ("k", "kcal/mol"): barriers,
        ("periodicity", ""): np.abs(periodicities),
        ("phase", "rad"): np.radians(phases),
        ("idivf", ""): divisors,
    }


def _improper_values(columns: NDArray[np.float64]) -> _Values:
    return _proper_values(np.vstack([np.ones(columns.shape[1]), columns]))


def _vdw_values(columns: NDArray[np.float64]) -> _Values:
    return {("epsilon", "kcal/mol"): columns[1], ("rmin_half", "Å"): columns[0]}


_VALUES: Mapping[str, Callable[[NDArray[np.float64]], _Values]] = {
    "Bonds": _bond_values,
    "Angles": _angle_values,
    "ProperTorsions": _proper_values,
    "ImproperTorsions": _improper_values,
    "vdW": _vdw_values,
}


def _rules_and_terms(rows: Rows) -> tuple[IntArray, IntArray, IntArray]:
    """First row of each rule; rule of each row; term of each row."""
    n_rows = len(rows.keys)
    starts = np.ones(n_rows, dtype=bool)
    if rows.section == "ProperTorsions":
        starts[1:] = [key != before for before, key in zip(rows.keys, rows.keys[1:], strict=False)]
    rules = np.cumsum(starts) - 1
    firsts = np.flatnonzero(starts)
    return firsts, rules, np.arange(n_rows) - firsts[rules]


def _numbers(table: list[list[str]], columns: tuple[str, ...], faults: list[Fault]) -> NDArray[np.float64]:
    """The numbers of all rows; what is none is added to the faults."""
    try:
        values = np.array(table, dtype=np.str_).astype(np.float64).reshape(len(table), len(columns))
    except ValueError:
        values = np.array([[_number(text) for text in row] for row in table])
    for row, column in zip(*np.nonzero(~np.isfinite(values)), strict=True):
        faults.append(Fault(f"{columns[column]} is {table[row][column]!r}; expected a number", int(row) + 2))
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _faults_of_key(section: str, key: Key, n_types: int, types: Mapping[str, str]) -> Iterator[str]:
    if len(key) != n_types:
        yield f"{len(key)} types; expected {n_types}"
        return
    places = {place for place, name in enumerate(key) if name == ANY}
    allowed = (set(), {0, 3}) if section == "ProperTorsions" else ({0, 1, 3},)
    if section == "ImproperTorsions" and places - {0, 1, 3}:
        yield f"{ANY} for the centre; expected a type"
    elif section == "ProperTorsions" and places not in allowed:
        yield f"{ANY} may stand at both ends of a proper, and only there"
    elif places and "Torsions" not in section:
        yield f"{ANY} may stand in torsions only"
    for name in dict.fromkeys(key):
        if name not in types and name != ANY:
            yield f"type {name!r} is not in types.csv"


def _faults_of_values(rows: Rows) -> Iterator[Fault]:
    columns = FORMS[rows.section][2]
    for name, values in zip(columns, rows.values.T, strict=True):
        expected, good = {
            "k": ("0 or more", values >= 0),
            "length": ("more than 0", values > 0),
            "angle": ("more than 0 and up to 180", (values > 0) & (values <= 180)),
            "divisor": ("a whole number from 1", (values >= 1) & (values == np.round(values))),
            "periodicity": ("a whole number, not 0", (values != 0) & (values == np.round(values))),
            "rmin_half": ("0 or more", values >= 0),
            "epsilon": ("0 or more", values >= 0),
        }.get(name, ("", np.ones(len(values), dtype=bool)))
        for row in np.flatnonzero(~good).tolist():
            yield Fault(f"{rows.texts[row]!r}: {name} is {values[row]:g}; expected {expected}", row + 2)


def _faults_of_order(rows: Rows) -> Iterator[Fault]:
    """Keys that stand twice, and terms of a torsion that do not say that there are more."""
    _, rules, terms = _rules_and_terms(rows)
    seen: dict[Key, int] = {}
    for row, (key, term) in enumerate(zip(rows.keys, terms.tolist(), strict=True)):
        first = seen.setdefault(key, row) if term == 0 else row
        # Files repeat impropers; that does no harm where the values are the same.
        harmless = rows.section == "ImproperTorsions" and np.array_equal(rows.values[row], rows.values[first])
        if first != row and not harmless:
            yield Fault(f"{rows.texts[row]!r} stands in line {first + 2} too; keep one of them", row + 2)
    if rows.section == "ProperTorsions":
        more_follow = np.append(rules[1:] == rules[:-1], False)
        for row in np.flatnonzero((rows.values[:, -1] < 0) != more_follow).tolist():
            says = "is the last of its torsion, but its periodicity is negative"
            if more_follow[row]:
                says = "is not the last of its torsion, but its periodicity is positive"
            yield Fault(f"{rows.texts[row]!r}: the term {says}", row + 2)
