"""The rows of MMFF94 and MMFF94s as rule tables, in ffshare's units.

The files in ``rules/mmff94`` and ``rules/mmff94s`` hold the published rows: a class, the types that it is for (0 stands
for any), and numbers in md/Å, Å, degrees and kcal/mol. MMFF94s differs in torsions and out-of-plane bends only. A row
becomes a rule whose id is its key: ``bond:0:1-37``, ``angle:0:1-37-37``, ``torsion:0:0-1-1-0``, ``oop:0-2-0-0`` (the
centre second), ``vdw:37``.

* A stretch-bend row holds two numbers, one for the bond i–j with the angle i–j–k, one for the bond k–j. They are two
  rules, the second named from the other end: ``stretch-bend:1:1-2-3`` (the first bond is of class 1) and
  ``stretch-bend:2:3-2-1`` (the second is). A row that reads the same from both ends is one rule. Where no row has the
  types, MMFF94 has one for their rows of the periodic table, counted from 0: ``stretch-bend:rows-1-1-2:0-0-0``.
* The three barriers of a torsion are three terms, those of height zero too: MMFF94 fits three numbers a row. Behind the
  rows stands ``torsion:linear``, a rule without numbers for the torsions about a linear atom, which have no barrier.
* An angle row with a force constant of zero gives the angle alone: the constant then comes from the empirical rule.

Reference: T. A. Halgren, J. Comput. Chem. 17, 490 (1996) and the four papers behind it; 20, 720 (1999) for MMFF94s.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.mmff.atom_types import AtomTypes, read_atom_types
from ffshare.assign.mmff.rows import BY_PERIOD, LINEAR, Rows, about_linear_atoms, by_period, directed, joined, read_rows
from ffshare.data_files import checksum, data_directory
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import Column, RuleTable

MMFF_SCHEMES = ("mmff94", "mmff94s")

# kcal/mol in one md·Å, as MMFF94 rounds it.
_MD_ANGSTROM = 143.9325
_DEGREE = np.pi / 180


@record
class Form:
    """How the rows of a section are written, and what becomes of them."""

    prefix: str = doc("how ids begin")
    file: str = doc("name of the file")
    width: int = doc("columns of the key")
    has_class: bool = doc("whether the key begins with a class")
    factors: tuple[float, ...] = doc("what each number is multiplied with to come into ffshare's units")
    columns: tuple[tuple[str, str], ...] = doc("name and unit of each number; of several terms of one column, once")
    potential: str = doc("energy of a site [kcal/mol]")


FORMS: Mapping[str, Form] = {
    "Bonds": Form(
        prefix="bond",
        file="bonds.csv",
        width=3,
        has_class=True,
        factors=(_MD_ANGSTROM, 1.0),
        columns=(("k", "kcal/mol/Å²"), ("length", "Å")),
        potential="(k/2)*d^2*(1-2*d+(7/3)*d^2); d=r-length in Å",
    ),
    "Angles": Form(
        prefix="angle",
        file="angles.csv",
        width=4,
        has_class=True,
        factors=(_MD_ANGSTROM, _DEGREE),
        columns=(("k", "kcal/mol/rad²"), ("angle", "rad")),
        potential="(k/2)*d^2*(1-0.4*d); d=theta-angle in rad; k*(1+cos(theta)) where the centre is linear",
    ),
    "StretchBends": Form(
        prefix="stretch-bend",
        file="stretch_bends.csv",
        width=4,
        has_class=True,
        factors=(_MD_ANGSTROM,),
        columns=(("k", "kcal/mol/Å/rad"),),
        potential="k*(r-length)*(theta-angle); r between the first two atoms of the site, theta at the second",
    ),
    "ProperTorsions": Form(
        prefix="torsion",
        file="torsions.csv",
        width=5,
        has_class=True,
        factors=(0.5, 0.5, 0.5),
        columns=(("k", "kcal/mol"),),
        potential="k*(1+cos(periodicity*phi-phase))",
    ),
    "ImproperTorsions": Form(
        prefix="oop",
        file="out_of_plane.csv",
        width=4,
        has_class=False,
        factors=(_MD_ANGSTROM,),
        columns=(("k", "kcal/mol/rad²"),),
        potential="(k/2)*chi^2; chi between the bond of the second and the last atom and the plane of the first three",
    ),
    "vdW": Form(
        prefix="vdw",
        file="vdw.csv",
        width=1,
        has_class=False,
        factors=(1.0, 1.0, 1.0, 1.0),
        columns=(("alpha", "Å³"), ("n_effective", ""), ("a", "Å^(1/4)"), ("g", "")),
        potential="epsilon*(1.07*R/(r+0.07*R))^7*(1.12*R^7/(r^7+0.12*R^7)-2)",
    ),
}
_LINEAR_ID = "torsion:linear"
_OF_THE_VARIANT = ("ProperTorsions", "ImproperTorsions")
_TYPES, _STRETCH_BEND_DEFAULTS, _VDW_CONSTANTS = "types.csv", "stretch_bend_defaults.csv", "vdw_constants.csv"


@record
class MmffTables:
    """The rows of MMFF94 or MMFF94s."""

    name: str = doc("mmff94 or mmff94s")
    types: AtomTypes = doc("atom types")
    rows: Mapping[str, Rows] = doc("rows by section, one for each rule, numbers as published")
    tables: Mapping[str, RuleTable] = doc("rules by section, numbers in ffshare's units")
    checksums: Mapping[str, str] = doc("checksum of each file, by path")


def load_tables(name: str) -> MmffTables:
    """The tables of a variant, from the files that ship with ffshare.

    Args:
        name: ``mmff94`` or ``mmff94s``.

    Returns:
        Its rows.

    Raises:
        SchemeError: There is no such variant.

    Example:
        >>> tables = load_tables("mmff94").tables
        >>> len(tables["Bonds"]), tables["Bonds"].ids[0], len(tables["ProperTorsions"])
        (493, 'bond:0:1-1', 927)
    """
    if name not in MMFF_SCHEMES:
        raise SchemeError(f"{name!r} is no variant of MMFF94; expected {' or '.join(MMFF_SCHEMES)}")
    common, own = data_directory("rules") / MMFF_SCHEMES[0], data_directory("rules") / name
    paths = {section: (own if section in _OF_THE_VARIANT else common) / form.file for section, form in FORMS.items()}
    rows = {
        section: read_rows(path, FORMS[section].width, len(FORMS[section].factors))
        for section, path in paths.items()
        if section != "StretchBends"
    }
    by_types = read_rows(paths["StretchBends"], 4, 2)
    by_periods = by_period(read_rows(common / _STRETCH_BEND_DEFAULTS, 3, 2))
    rows["ProperTorsions"] = joined(rows["ProperTorsions"], about_linear_atoms())
    rows["StretchBends"] = joined(directed(by_types), directed(by_periods))
    constants = read_rows(common / _VDW_CONSTANTS, 0, 0).words[0]
    others = [common / file for file in (_TYPES, _STRETCH_BEND_DEFAULTS, _VDW_CONSTANTS)]
    types = read_atom_types(common / _TYPES)
    return MmffTables(
        name=name,
        types=types,
        rows={section: rows[section] for section in FORMS},
        tables={
            section: make_table(
                section,
                ids=[rule_id(section, key) for key in rows[section].keys.tolist()],
                rows=rows[section],
                settings={"combining_rules": "MMFF94", **constants} if section == "vdW" else {},
                n_combinations=_n_combinations(section, len(types)),
            )
            for section in FORMS
        },
        checksums={str(path): checksum(path) for path in (*paths.values(), *others)},
    )


def rule_id(section: str, key: Sequence[int | str]) -> str:
    """The id of a rule.

    Args:
        section: Its section.
        key: Its class, where the section has any, and its types.

    Returns:
        The id.

    Example:
        >>> rule_id("Angles", [0, 1, 37, 37]), rule_id("ImproperTorsions", [0, 2, 0, 0])
        ('angle:0:1-37-37', 'oop:0-2-0-0')
    """
    form = FORMS[section]
    if form.has_class and key[0] == LINEAR:
        return _LINEAR_ID
    types = "-".join(map(str, key[form.has_class :]))
    if not form.has_class:
        return f"{form.prefix}:{types}"
    return f"{form.prefix}:rows-{types}:0-0-0" if key[0] == BY_PERIOD else f"{form.prefix}:{key[0]}:{types}"


def make_table(
    section: str,
    ids: Sequence[str],
    rows: Rows,
    settings: Mapping[str, str] | None = None,
    n_combinations: int | None = None,
) -> RuleTable:
    """Rows as a rule table.

    Args:
        section: The section.
        ids: Ids of the rules, which are their patterns too.
        rows: The rows.
        settings: What the section says beyond its potential.
        n_combinations: Combinations of types that could need a rule.

    Returns:
        The table.
    """
    form = FORMS[section]
    values = rows.values * form.factors
    if section == "ProperTorsions":
        columns = _torsion_columns(values, np.flatnonzero([one != _LINEAR_ID for one in ids]))
    else:
        columns = [
            # A force constant of zero in an angle row says that there is none.
            _column(name, unit, of_rules, np.flatnonzero((of_rules != 0) | (section != "Angles")))
            for (name, unit), of_rules in zip(form.columns, values.T, strict=True)
        ]
    return RuleTable(
        section=section,
        ids=tuple(ids),
        patterns=tuple(ids),
        columns={column.name: column for column in columns},
        lines=rows.lines,
        sources=rows.sources,
        attributes=rows.words,
        settings={"potential": form.potential, **(settings or {})},
        n_combinations=n_combinations,
    )


def _column(name: str, unit: str, values: NDArray[np.float64], given: IntArray) -> Column:
    return Column(
        name=name, unit=unit, values=values[given], rule_idxs=given, terms=np.zeros(len(given), dtype=int), free=True
    )


def _torsion_columns(barriers: NDArray[np.float64], given: IntArray) -> list[Column]:
    """V1 (1 + cos φ) / 2, V2 (1 − cos 2φ) / 2 and V3 (1 + cos 3φ) / 2 as cosines with a phase."""
    n_terms = barriers.shape[1]
    rules, terms = np.repeat(given, n_terms), np.tile(np.arange(n_terms), len(given))
    phases: NDArray[np.float64] = np.where(terms == 1, np.pi, 0.0)
    columns: Sequence[tuple[str, str, NDArray[np.float64], bool]] = (
        ("k", "kcal/mol", barriers[given].ravel(), True),
        ("periodicity", "", (terms + 1).astype(np.float64), False),
        ("phase", "rad", phases, False),
        ("idivf", "", np.ones(len(terms)), False),
    )
    return [
        Column(name=name, unit=unit, values=values, rule_idxs=rules, terms=terms, free=free)
        for name, unit, values, free in columns
    ]


def _n_combinations(section: str, n_types: int) -> int:
    """Combinations of types, those that read the same from both ends once, and classes left aside."""
    n = n_types
    return {
        "Bonds": n * (n + 1) // 2,
        "Angles": n * n * (n + 1) // 2,
        "StretchBends": n**3,
        "ProperTorsions": (n**4 + n**2) // 2,
        "ImproperTorsions": n * n * (n + 1) * (n + 2) // 6,
        "vdW": n,
    }[section]
