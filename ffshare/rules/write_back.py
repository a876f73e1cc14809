"""Fitted numbers written back into the offxml that they came from.

The file is edited in place: where a value has changed, the number in the text of its attribute is replaced, in the unit
that the text has. Comments, blanks, the order of attributes, whatever else stands there stays, byte for byte, so that a
`diff` of the two files shows the fitted numbers and nothing else.

A number is written with the digits that give the same float64 when the file is read again or, where the unit of the
file leaves no such number (degrees, some of the time), its neighbour.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from ffshare.errors import Fault, OutputError, RuleFileError, UnitError
from ffshare.rules.load import load_force_field
from ffshare.rules.offxml import refuse_document_types
from ffshare.rules.rule import Mode
from ffshare.rules.rule_ids import distinct_ids
from ffshare.rules.sections import value_key
from ffshare.rules.table import ForceField, RuleTable
from ffshare.units import in_unit, split_quantity
from ffshare.whole_files import writing

ValueName = tuple[str, str | int, str, int]
"""Section, id (as `Assignment.tying` has it) or index of the rule, column and term."""

_VERSION = "0.3"
# Metadata below the root, which is no section.
_METADATA = ("Author", "Date")
_BOM = b"\xef\xbb\xbf"
_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")


class _Attribute(NamedTuple):
    """The value of an attribute and where it stands."""

    start: int
    raw: bytes


def write_fitted_offxml(
    path_in: str | Path, path_out: str | Path, values: Mapping[ValueName, float], mode: Mode = "compat"
) -> int:
    """Write an offxml with other numbers.

    Args:
        path_in: A SMIRNOFF 0.3 file.
        path_out: The file to write; one that exists is replaced. It appears whole or not at all.
        values: New values in internal units (kcal/mol, Å, rad, e), by section, rule, column and term from 0. Rules go
            by id, as the keys of `Assignment.tying` have it, or by index in their section. Values that are what the
            file says already leave its text as it is.
        mode: How the file is read, see `ffshare.rules.rule`.

    Returns:
        How many numbers differ.

    Raises:
        RuleFileError: The file cannot be used, is not of version 0.3, or does not give one of the values: all are
            listed.
        OutputError: The file cannot be written, or is the one that is read.

    Example:
        >>> import tempfile
        >>> from ffshare.rules.locate import locate
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "fitted.offxml")
        ...     write_fitted_offxml(locate("openff-2.2.1"), path, {("Bonds", "b1", "length", 0): 1.5})
        ...     load_force_field(path).tables["Bonds"].columns["length"].values[0]
        1
        np.float64(1.5)
    """
    source, target = Path(path_in), Path(path_out)
    if os.path.realpath(source) == os.path.realpath(target):
        raise OutputError(f"cannot write {target}: it is the file that is read; choose another name")
    force_field = load_force_field(source, mode=mode)
    if source.suffix == ".toml":
        raise RuleFileError(str(source), [Fault("only offxml files are edited in place; write TOML with write_toml")])
    data = source.read_bytes()
    faults: list[Fault] = []
    edits = dict(_edits(data, force_field, values, faults))
    if faults:
        raise RuleFileError(str(source), faults)
    pieces, end = [], 0
    for start in sorted(edits):
        old, new = edits[start]
        pieces += [data[end:start], new]
        end = start + len(old)
    _write(target, b"".join([*pieces, data[end:]]))
    return len(edits)


def edits_in_place(path: str | Path) -> bool:
    """Whether a file of rules is one that `write_fitted_offxml` can edit.

    Args:
        path: A file that loads.

    Returns:
        Whether it is an offxml of version 0.3.

    Example:
        >>> from ffshare.rules.locate import locate
        >>> edits_in_place(locate("openff-2.2.1")), edits_in_place(locate("alkethoh-smirks"))
        (True, False)
    """
    source = Path(path)
    return source.suffix != ".toml" and _attributes(source.read_bytes())[0] == _VERSION


def _edits(
    data: bytes, force_field: ForceField, values: Mapping[ValueName, float], faults: list[Fault]
) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Where a number is replaced: its first byte, the old text and the new one. What cannot be is a fault."""
    version, attributes = _attributes(data)
    if version != _VERSION:
        faults.append(Fault(f"SMIRNOFF version {version!r}; only files of version {_VERSION} are edited in place"))
        return
    rules = {section: _rule_of(table) for section, table in force_field.tables.items()}
    seen: set[tuple[str, int, str, int]] = set()
    for name, value in values.items():
        section, rule_name, column, term = name
        rule = rules.get(section, {}).get(rule_name)
        found = None if rule is None else attributes.get((section, rule, column, term))
        if rule is None or found is None:
            what = "no such rule" if rule is None else f"its text gives no {column}{term + 1 if term else ''}"
            faults.append(Fault(f"{section} rule {rule_name!r}, {column}, term {term}: {what}"))
            continue
        table = force_field.tables[section]
        if (section, rule, column, term) in seen:
            faults.append(Fault(f"{section} rule {rule_name!r}: {column} is given twice", table.lines[rule]))
        seen.add((section, rule, column, term))
        unit = table.columns[column].unit
        text = found.raw.decode()
        try:
            if not math.isfinite(value):
                raise UnitError(repr(value), "is not a finite number")
            if in_unit(text, unit) == value:
                continue
            number, given = split_quantity(text)
            start = len(text) - len(text.lstrip())
            place = found.start + len(text[:start].encode())
            yield place, (number.encode(), number_text(float(value), unit, given).encode())
        except UnitError as error:
            faults.append(Fault(f"{section} rule {rule_name!r}: {column}: {error}", table.lines[rule]))


def number_text(value: float, unit: str, written_unit: str) -> str:
    """The number that reads back as a value, in another unit.

    Args:
        value: A finite value [unit].
        unit: Its unit.
        written_unit: The unit that the number will stand with in the file.

    Returns:
        The shortest decimal number that gives the same float64; where rounding leaves none, the closest.

    Example:
        >>> number_text(1.5, "Å", "nanometer"), number_text(2.0, "rad", "degree")
        ('0.15', '114.59155902616465')
    """

    def read(number: float) -> float:
        return in_unit(f"{number!r} * {written_unit}" if written_unit else repr(number), unit)

    closest = in_unit(f"{value!r} * {unit}" if unit else repr(value), written_unit)
    neighbours = (closest, math.nextafter(closest, -math.inf), math.nextafter(closest, math.inf))
    return repr(min(neighbours, key=lambda number: abs(read(number) - value)))


def _rule_of(table: RuleTable) -> dict[str | int, int]:
    """The rule of each name of a rule: its index, and its id made distinct."""
    ids: dict[str | int, int] = {rule_id: rule for rule, rule_id in enumerate(distinct_ids(table.ids))}
    return ids | {rule: rule for rule in range(len(table))}


def _attributes(data: bytes) -> tuple[str, dict[tuple[str, int, str, int], _Attribute]]:
    """Version of the file, and the text of every value by section, rule, column and term.

    The file has been read before, so that it is known to be good.
    """
    skipped = len(_BOM) if data.startswith(_BOM) else 0
    text = data[skipped:]
    found: dict[tuple[str, int, str, int], _Attribute] = {}
    n_rules: dict[str, int] = {}
    open_elements: list[str] = []
    version = ""
    parser = expat.ParserCreate("utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal version
        open_elements.append(name)
        if len(open_elements) == 1:
            version = attributes.get("version", "")
        if len(open_elements) != 3 or open_elements[1] in _METADATA:
            return
        section = open_elements[1]
        rule = n_rules.setdefault(section, 0)
        n_rules[section] += 1
        position = parser.CurrentByteIndex + 1 + len(name.encode())
        while match := _ATTRIBUTE.match(text, position):
            position = match.end()
            key = value_key(section, match[1].decode())
            if key is not None:
                found[section, rule, key.column, key.term] = _Attribute(skipped + match.start(2) + 1, match[2][1:-1])

    refuse_document_types(parser)
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: open_elements.pop()
    parser.Parse(text, True)
    return version, found


def _write(path: Path, data: bytes) -> None:
    with writing(path) as unfinished:
        unfinished.write_bytes(data)
