"""Several files as one force field: the rules of the later file come after those of the earlier one.

That only means something where both files compute the energies of a section in the same way, so their settings are
compared first, those that both of them give.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import UnitError
from ffshare.rules.table import Column, RuleTable
from ffshare.units import in_unit

# Settings that decide energies: those that are numbers, with their unit, and those that are words.
_NUMBERS = {
    "scale12": "",
    "scale13": "",
    "scale14": "",
    "scale15": "",
    "cutoff": "Å",
    "switch_width": "Å",
    "number_of_conformers": "",
    "solvent_dielectric": "",
    "solute_dielectric": "",
    "solvent_radius": "Å",
    "surface_area_penalty": "kcal/mol/Å²",
}
_WORDS = (
    "potential",
    "combining_rules",
    "method",
    "periodic_method",
    "nonperiodic_method",
    "periodic_potential",
    "nonperiodic_potential",
    "exception_potential",
    "default_idivf",
    "partial_charge_method",
    "model_file",
    "exclusion_policy",
    "gb_model",
    "sa_model",
)
# These matter only where a value depends on a bond order; released files differ in them for no reason.
_BOND_ORDER_WORDS = ("fractional_bondorder_method", "fractional_bondorder_interpolation")
_SYNONYMS = {"(k/2)*(r-length)^2": "harmonic"}
# As openff-toolkit: 0.833333 and 0.8333333333 are the same scale factor.
_TOLERANCE = 1e-5


def conflicts(first: RuleTable, second: RuleTable) -> list[str]:
    """What keeps the rules of one table from standing behind those of another.

    Args:
        first: Table of an earlier file.
        second: Table of the same section from a later file.

    Returns:
        Settings on which they differ, in words; none where they fit together.
    """
    interpolated = any("_bondorder" in name for name in (*first.columns, *second.columns))
    return [
        f"section {second.section}: {key}={second.settings[key]!r} here, but {first.settings[key]!r} in an earlier file"
        for key in (*_NUMBERS, *_WORDS, *(_BOND_ORDER_WORDS if interpolated else ()))
        if key in first.settings
        and key in second.settings
        and not _agree(key, first.settings[key], second.settings[key])
    ]


def appended(first: RuleTable, second: RuleTable) -> RuleTable:
    """One table with the rules of two; the settings of the first, and those that only the second gives.

    Args:
        first: Table of an earlier file.
        second: Table of the same section from a later file.

    Returns:
        The table. Its checks are those of `RuleTable`; see `conflicts` for the settings.
    """
    names = [*first.columns, *(name for name in second.columns if name not in first.columns)]
    return RuleTable(
        section=first.section,
        ids=first.ids + second.ids,
        patterns=first.patterns + second.patterns,
        columns={name: _joined(first.columns.get(name), second.columns.get(name), len(first)) for name in names},
        lines=first.lines + second.lines,
        sources=first.sources + second.sources,
        attributes=first.attributes + second.attributes,
        settings={**second.settings, **first.settings},
        names=first.names + second.names,
        n_effective=first.n_effective,
        n_combinations=first.n_combinations,
    )


def with_added(defined: RuleTable, added: RuleTable) -> RuleTable:
    """The table of a scheme with rules behind it that were made for the molecules at hand.

    Args:
        defined: The table of the scheme.
        added: The further rules.

    Returns:
        One table, which knows how many of its rules were added.
    """
    return replace(appended(defined, added), n_added=len(added)) if len(added) else defined


def rows_of(table: RuleTable, rules: NDArray[np.int64]) -> RuleTable:
    """Some rules of a table as a table.

    Args:
        table: The table.
        rules: Indices of its rules, none twice, shape=(n,).

    Returns:
        Those rules in the order asked for, with all columns.
    """
    place_of = np.full(len(table), -1, dtype=np.int64)
    place_of[rules] = np.arange(len(rules))
    columns = {}
    for name, column in table.columns.items():
        places = place_of[column.rule_idxs]
        kept = np.flatnonzero(places >= 0)
        kept = kept[np.lexsort((column.terms[kept], places[kept]))]
        columns[name] = replace(column, values=column.values[kept], rule_idxs=places[kept], terms=column.terms[kept])
    chosen = rules.tolist()
    return replace(
        table,
        ids=tuple(table.ids[rule] for rule in chosen),
        patterns=tuple(table.patterns[rule] for rule in chosen),
        columns=columns,
        lines=tuple(table.lines[rule] for rule in chosen),
        sources=tuple(table.sources[rule] for rule in chosen),
        attributes=tuple(table.attributes[rule] for rule in chosen),
        names=tuple(table.names[rule] for rule in chosen),
        n_added=0,
        n_effective=None,
        n_combinations=None,
    )


def _agree(key: str, first: str, second: str) -> bool:
    if key in _NUMBERS:
        try:
            return abs(in_unit(first, _NUMBERS[key]) - in_unit(second, _NUMBERS[key])) <= _TOLERANCE
        except UnitError:
            return first == second
    return _SYNONYMS.get(first, first) == _SYNONYMS.get(second, second)


def _joined(first: Column | None, second: Column | None, offset: int) -> Column:
    if second is None:
        assert first is not None
        return first
    moved = replace(second, rule_idxs=second.rule_idxs + offset)
    if first is None:
        return moved
    return replace(
        first,
        values=np.concatenate([first.values, moved.values]),
        rule_idxs=np.concatenate([first.rule_idxs, moved.rule_idxs]),
        terms=np.concatenate([first.terms, moved.terms]),
    )
