"""An atom-typed force field as files: parameter tables, settings and formula constants of one folder.

``types.csv`` (types and elements), ``bonds.csv``, ``angles.csv``, ``propers.csv``, ``impropers.csv`` and ``vdw.csv``
(see `ffshare.assign.atom_types.csv_tables`), ``settings.toml``::

    name = "gaff"
    version = "1.81"

    [scale14]
    vdW = 0.5
    electrostatics = 0.8333333333333334

    [impropers]                       # may be left out: no impropers
    centres = "c ca n"
    default = { barrier = 1.1, phase = 180.0, periodicity = 2 }

and ``formula.toml`` (see `ffshare.assign.atom_types.formulas`), which may be absent. The typing rules,
``typing.toml``, are loaded apart.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ffshare.assign.atom_types.csv_tables import FORMS, Rows, make_table, read_csv, read_rows
from ffshare.assign.atom_types.formulas import Formulas, effective_counts, load_formulas
from ffshare.assign.atom_types.keys import Key
from ffshare.data_files import checksum
from ffshare.errors import Fault, RuleFileError
from ffshare.records import doc, record
from ffshare.rules.content import read_content
from ffshare.rules.locate import TYPING_FILE
from ffshare.rules.table import RuleTable
from ffshare.rules.toml_text import read_toml_text

_TYPE_COLUMNS = ("type", "element", "mass", "meaning")
_DEFAULT_KEYS = ("barrier", "phase", "periodicity")
# AMBER's: bonds and angles are left out of the pairs, 1-4 pairs are scaled, the rest counts in full.
_SCALES = {"scale12": "0.0", "scale13": "0.0", "scale15": "1.0"}


@record
class DefaultImproper:
    """The improper of a centre that no row fits."""

    barrier: float = doc("barrier [kcal/mol]")
    phase: float = doc("phase [degree]")
    periodicity: int = doc("periodicity")


@record
class AtomTypedForceField:
    """Parameters by combinations of atom types."""

    name: str = doc("name of the force field")
    version: str = doc("version of the source")
    folder: str = doc("folder that it was loaded from")
    elements: Mapping[str, str] = doc("element of each type, in the order of the file")
    meanings: Mapping[str, str] = doc("meaning of each type, in words")
    tables: Mapping[str, RuleTable] = doc("sections by SMIRNOFF name")
    indices: Mapping[str, Mapping[Key, int]] = doc("rule of each key in canonical order, by section")
    improper_centres: frozenset[str] = doc("types that are kept planar where they have three neighbours")
    default_improper: DefaultImproper | None = doc("improper of such a centre that no row fits; None: it has none")
    formulas: Formulas | None = doc("constants of the empirical formulas; None where it has none")
    checksums: Mapping[str, str] = doc("blake2b checksum of each file that was read, by path")

    @property
    def typing_path(self) -> Path:
        """Where its typing rules stand."""
        return Path(self.folder) / TYPING_FILE


def load_definition(folder: str | Path) -> AtomTypedForceField:
    """The force field of a folder.

    Args:
        folder: The folder.

    Returns:
        Tables, settings and formula constants, in ffshare's units.

    Raises:
        RuleFileError: A file is missing or faulty; all faults are listed.

    Example:
        >>> from ffshare.data_files import data_directory
        >>> gaff = load_definition(data_directory("rules") / "gaff")
        >>> gaff.elements["ca"], len(gaff.tables["Bonds"])
        ('C', 928)
    """
    folder = Path(folder)
    faults: dict[Path, list[Fault]] = {}
    settings = _settings(folder / "settings.toml", faults)
    types, faults[folder / "types.csv"] = read_csv(folder / "types.csv", _TYPE_COLUMNS)
    elements = {row[0]: row[1] for row in types if len(row) == len(_TYPE_COLUMNS)}
    if len(elements) < len(types):
        repeated = sorted({row[0] for row in types if sum(row[0] == other[0] for other in types) > 1})
        faults[folder / "types.csv"] += [Fault(f"type {name!r} stands there more than once") for name in repeated]
    rows: list[Rows] = []
    for section, (file, *_) in FORMS.items():
        found, faults[folder / file] = read_rows(section, folder, elements)
        rows += [] if found is None else [found]
    formulas = None
    formula_path = folder / "formula.toml"
    if formula_path.is_file():
        try:
            formulas = load_formulas(formula_path)
        except RuleFileError as error:
            faults[formula_path] = list(error.faults)
    impropers = settings.get("impropers", {})
    centres = frozenset(impropers.get("centres", "").split())
    unknown = sorted(centres - set(elements)) if elements else []
    if unknown:
        message = f"centres of impropers that are not in types.csv: {', '.join(unknown)}"
        faults.setdefault(folder / "settings.toml", []).append(Fault(message))
    _raise_faults(folder, faults)
    files = ["settings.toml", "types.csv", *(form[0] for form in FORMS.values())]
    files += [] if formulas is None else [formula_path.name]
    return AtomTypedForceField(
        name=settings["name"],
        version=settings["version"],
        folder=str(folder),
        elements=elements,
        meanings={row[0]: row[3] for row in types},
        tables=_tables(rows, settings["scale14"], elements, formulas),
        indices={found.section: found.index for found in rows},
        improper_centres=centres,
        default_improper=DefaultImproper(**impropers["default"]) if "default" in impropers else None,
        formulas=formulas,
        checksums={str(folder / file): checksum(folder / file) for file in files},
    )


def n_combinations(n_types: int) -> Mapping[str, int]:
    """How many combinations of types could need a rule: those that read the same from both ends count once.

    Args:
        n_types: Number of types.

    Returns:
        Numbers by section; of impropers, the three outer types in any order.

    Example:
        >>> n_combinations(83)["ProperTorsions"]
        23732605
    """
    n = n_types
    return {
        "Bonds": n * (n + 1) // 2,
        "Angles": n * n * (n + 1) // 2,
        "ProperTorsions": (n**4 + n**2) // 2,
        "ImproperTorsions": n * n * (n + 1) * (n + 2) // 6,
        "vdW": n,
    }


def _tables(
    rows: list[Rows], scale14: Mapping[str, float], elements: Mapping[str, str], formulas: Formulas | None
) -> Mapping[str, RuleTable]:
    further = {
        # The one dihedral of the site's atoms in their order, not SMIRNOFF's three.
        "ImproperTorsions": {"coordinate": "dihedral"},
        "vdW": {"combining_rules": "Lorentz-Berthelot", **_SCALES, "scale14": repr(scale14["vdW"])},
    }
    tables = {found.section: make_table(found, further.get(found.section, {})) for found in rows}
    possible = n_combinations(len(elements))
    effective = {} if formulas is None else effective_counts(tables, elements, formulas)
    charges = {**_SCALES, "scale14": repr(scale14["electrostatics"])}
    return {
        **{
            section: replace(table, n_combinations=possible[section], n_effective=effective.get(section))
            for section, table in tables.items()
        },
        "Electrostatics": RuleTable(
            section="Electrostatics",
            ids=(),
            patterns=(),
            columns={},
            lines=(),
            sources=(),
            attributes=(),
            settings=charges,
        ),
    }


def _settings(path: Path, faults: dict[Path, list[Fault]]) -> Mapping[str, Any]:
    """The settings; what is wrong with them is added to the faults."""
    try:
        content = read_toml_text(read_content(path), path).content
    except RuleFileError as error:
        faults[path] = list(error.faults)
        return {}
    faults[path] = found = []
    for key in ("name", "version"):
        if not isinstance(content.get(key), str):
            found.append(Fault(f"{key} is missing or no text"))
    scale14 = content.get("scale14")
    for key in ("vdW", "electrostatics"):
        if not isinstance(scale14, dict) or not isinstance(scale14.get(key), int | float):
            found.append(Fault(f"[scale14]: {key} is missing or no number"))
    impropers = content.get("impropers", {})
    if not isinstance(impropers, dict) or not isinstance(impropers.get("centres", ""), str):
        found.append(Fault("[impropers]: centres is no text with types in it"))
        return {}
    default = impropers.get("default", dict.fromkeys(_DEFAULT_KEYS, 1))
    if not isinstance(default, dict) or sorted(default) != sorted(_DEFAULT_KEYS):
        found.append(Fault(f"[impropers]: default must give {', '.join(_DEFAULT_KEYS)}"))
    elif not all(isinstance(value, int | float) for value in default.values()):
        found.append(Fault("[impropers]: default holds something that is no number"))
    return content


def _raise_faults(folder: Path, faults: Mapping[Path, list[Fault]]) -> None:
    bad = {path: found for path, found in faults.items() if found}
    if len(bad) == 1:
        raise RuleFileError(str(next(iter(bad))), next(iter(bad.values())))
    if bad:
        named = [Fault(f"{path.name}: {fault}") for path, found in bad.items() for fault in found]
        raise RuleFileError(str(folder), named)
