"""Loading: files of rules in, one `ForceField` out.

Each file is read as text (`offxml`, `toml`), brought to the form of SMIRNOFF 0.3 where it is older (`upconvert`), and
turned into tables (`build`). All faults of a file come in one error. Several files append: rules of later files come
later and so win; sections that both files hold must agree on how their energies are computed.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from ffshare.errors import Fault, RuleFileError, SchemeError
from ffshare.rules.append import appended, conflicts
from ffshare.rules.build import build_tables
from ffshare.rules.content import read_content
from ffshare.rules.document import RuleDocument
from ffshare.rules.locate import locate
from ffshare.rules.offxml import parse_offxml
from ffshare.rules.rule import Mode
from ffshare.rules.table import ForceField, RuleTable
from ffshare.rules.toml import parse_toml
from ffshare.rules.upconvert import OLD_VERSIONS, upconvert

_VERSIONS = (*OLD_VERSIONS, "0.3")
_PARSERS: dict[str, Callable[[bytes, str], RuleDocument]] = {
    ".offxml": parse_offxml,
    ".xml": parse_offxml,
    ".toml": parse_toml,
}


def load_force_field(*names: str | Path, mode: Mode = "compat") -> ForceField:
    """A force field from one or several files, the rules of later files after those of earlier ones.

    Args:
        *names: Paths of ``.offxml`` or ``.toml`` files, or names of installed force fields (``openff-2.3.0``).
        mode: ``compat`` follows openff-toolkit, ``spec`` follows the SMIRNOFF specification where they differ (see
            `ffshare.rules.rule`).

    Returns:
        The force field. Values are in internal units; attributes and settings are the text of the file, with the
        units that files older than SMIRNOFF 0.3 give by section.

    Raises:
        SchemeError: A name is neither a file nor an installed force field, or no name is given.
        MissingDependencyError: An optional package is needed and not installed.
        RuleFileError: A file cannot be used. Holds every fault of that file.

    Example:
        >>> force_field = load_force_field("openff-2.3.0")
        >>> bonds = force_field.tables["Bonds"]
        >>> bonds.ids[0], bonds.patterns[0]
        ('b1', '[#6X4:1]-[#6X4:2]')
        >>> bonds.columns["length"].unit
        'Å'
    """
    if not names:
        raise SchemeError("no force field was named; give a file or a name such as 'openff-2.3.0'")
    if mode not in get_args(Mode):
        raise SchemeError(f"mode {mode!r} is unknown; expected one of {', '.join(get_args(Mode))}")
    tables: dict[str, RuleTable] = {}
    checksums: dict[str, str] = {}
    for name in names:
        path = locate(name)
        data = read_content(path)
        checksums[str(path)] = hashlib.blake2b(data, digest_size=16).hexdigest()
        found = _tables(_PARSERS[path.suffix](data, str(path)), mode)
        faults = [
            Fault(text) for section in found if section in tables for text in conflicts(tables[section], found[section])
        ]
        if faults:
            raise RuleFileError(str(path), faults)
        for section, table in found.items():
            tables[section] = appended(tables[section], table) if section in tables else table
    return ForceField(name=" + ".join(map(str, names)), tables=tables, checksums=checksums, mode=mode)


def _tables(document: RuleDocument, mode: Mode) -> dict[str, RuleTable]:
    if document.version not in _VERSIONS:
        message = f"SMIRNOFF version {document.version!r} is not supported; expected one of {', '.join(_VERSIONS)}"
        raise RuleFileError(document.path, [Fault(message, document.line or None), *document.faults])
    if document.version in OLD_VERSIONS:
        document = upconvert(document)
    tables, faults = build_tables(document, mode)
    if faults:
        raise RuleFileError(document.path, faults)
    return tables
