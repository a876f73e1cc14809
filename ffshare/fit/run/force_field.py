"""The fitted force field as files that load again as a scheme.

============================ ============================================================================
scheme                       what is written
============================ ============================================================================
one offxml file              ``fitted.offxml``: the same text, fitted numbers in place of theirs
other SMIRNOFF rules         ``fitted.toml``: all rules in one file
a folder of atom types       ``fitted/``: the same files, fitted numbers in place of theirs, and ``fitted.csv``
any other                    ``fitted.csv``: the fitted numbers, and the name of the scheme that they belong to
============================ ============================================================================

Values that a scheme makes for the molecules at hand (guesses of atom types, controls) stand in no file of its own:
``fitted.csv`` holds them too, and gives the energies of the fit for every scheme.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from ffshare.assign import AtomTypedScheme, Scheme, SmirnoffScheme
from ffshare.assign.atom_types.write_back import write_fitted_folder
from ffshare.assign.controls.names import is_control
from ffshare.assign.fitted import FittedScheme
from ffshare.fit.result import FitResult
from ffshare.records import doc, record
from ffshare.rules.rule import Mode
from ffshare.rules.table import ForceField, RuleTable
from ffshare.rules.value_table import Key, ValueTable, values_of, write_values
from ffshare.rules.write import write_toml
from ffshare.rules.write_back import ValueName, edits_in_place, write_fitted_offxml

NAMES = ("fitted.offxml", "fitted.toml", "fitted.csv", "fitted")
"""Everything that may be written."""


@record
class Written:
    """What was written."""

    names: tuple[str, ...] = doc("files and folders; the first is the one to load")
    n_changed: int = doc("numbers that differ from those before")


def write_force_field(scheme: Scheme, result: FitResult, folder: str | Path) -> Written:
    """Write a fitted force field.

    Args:
        scheme: The scheme that was fitted.
        result: The fit.
        folder: An existing folder, without any of `NAMES` in it.

    Returns:
        What was written.

    Raises:
        OutputError: The folder cannot be written to.
    """
    return _WRITERS.get(type(scheme), _write_other)(scheme, result, Path(folder))


def _write_smirnoff(scheme: SmirnoffScheme, result: FitResult, folder: Path) -> Written:
    force_field = scheme.force_field
    paths = list(force_field.checksums)
    if len(paths) == 1 and edits_in_place(paths[0]):
        values: dict[ValueName, float] = dict(zip(result.parameters.keys, result.values.tolist(), strict=True))
        mode = cast("Mode", force_field.mode)
        n_changed = write_fitted_offxml(paths[0], folder / "fitted.offxml", values, mode)
        return Written(names=("fitted.offxml",), n_changed=n_changed)
    tables = {**force_field.tables, **result.tables()}
    fitted = ForceField(name="fitted", tables=tables, checksums=force_field.checksums, mode=force_field.mode)
    write_toml(fitted, folder / "fitted.toml", metadata={"name": "fitted", "source": force_field.name})
    return Written(names=("fitted.toml",), n_changed=_n_changed(result))


def _write_typed(scheme: AtomTypedScheme, result: FitResult, folder: Path) -> Written:
    tables = result.tables()
    write_fitted_folder(scheme.definition.folder, folder / "fitted", tables)
    _write_values(folder, scheme.name, result.by_key, tables)
    return Written(names=("fitted.csv", "fitted"), n_changed=_n_changed(result))


def _write_fitted(scheme: FittedScheme, result: FitResult, folder: Path) -> Written:
    """What was fitted before, and is fitted again."""
    _write_values(folder, scheme.base.name, {**scheme.values, **result.by_key}, {**scheme.tables, **result.tables()})
    return Written(names=("fitted.csv",), n_changed=_n_changed(result))


def _write_other(scheme: Scheme, result: FitResult, folder: Path) -> Written:
    _write_values(folder, scheme.name, result.by_key, result.tables())
    return Written(names=("fitted.csv",), n_changed=_n_changed(result))


_WRITERS: Mapping[type, Callable[..., Written]] = {
    SmirnoffScheme: _write_smirnoff,
    AtomTypedScheme: _write_typed,
    FittedScheme: _write_fitted,
}


def _write_values(folder: Path, name: str, values: Mapping[Key, float], tables: Mapping[str, RuleTable]) -> None:
    units = values_of(name, tables).units
    table = ValueTable(scheme=_lasting_name(name), values=values, units=units)
    write_values(folder / "fitted.csv", table)


def _lasting_name(name: str) -> str:
    """The name of a scheme, paths from the root, so that it is found from every folder."""
    if is_control(name) and ":" in name:
        kind, _, rest = name.partition(":")
        behind, question, numbers = rest.partition("?")
        return f"{kind}:{_lasting_name(behind)}{question}{numbers}"
    return os.path.abspath(name) if os.path.exists(name) else name


def _n_changed(result: FitResult) -> int:
    return int((result.values != result.parameters.values).sum())
