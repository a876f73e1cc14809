"""Empirical formulas for force constants, and how many numbers of a force field they make superfluous.

Bonds: K = exp(ln K_ij - m ln r0), with a constant for each pair of elements i, j and one exponent m.

Angles: K = 143.9 Z_i C_j Z_k exp(-2D) / [(r_ij + r_jk) sqrt(θ0)], D = (r_ij - r_jk)² / (r_ij + r_jk)², with a constant
Z for outer and C for central elements; r is the length of the bond's row, θ0 in rad. Multiplying every Z by a factor
and dividing every C by its square changes nothing, so Z of carbon is 1.

Both K are AMBER's, of K (x - x0)² in kcal/mol/Å² and kcal/mol/rad²; the k of a rule table is 2 K. A bond that has no
row at all takes r0 as the sum of a radius of each of its two types.

The forms are published; the constants are estimated from the tables alone by ``scripts/fit_formulas.py``.

Reference: Wang, Wolf, Caldwell, Kollman, Case, J. Comput. Chem. 25, 1157 (2004), 10.1002/jcc.20035. The exponent -1/2
of the angle is that of the tables.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import Fault, RuleFileError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.content import read_content
from ffshare.rules.table import RuleTable
from ffshare.rules.toml_text import read_toml_text

ANGLE_PREFACTOR = 143.9
# A value this close to its formula is not counted as a number of its own.
TOLERANCE = 0.02

FloatArray = NDArray[np.float64]


@record
class Formulas:
    """The constants of the formulas of one force field."""

    exponent: float = doc("m of the bond formula")
    ln_k: Mapping[str, float] = doc("ln K of the bond formula, K in kcal/mol/Å² at 1 Å, by elements: 'C-N', sorted")
    radii: Mapping[str, float] = doc("radius of each type for bonds without a row [Å]")
    z: Mapping[str, float] = doc("Z of the angle formula by element, that of carbon is 1")
    c: Mapping[str, float] = doc("C of the angle formula by element")

    @property
    def n_bond_constants(self) -> int:
        """Free constants of the bond formula."""
        return len(self.ln_k) + 1

    @property
    def n_angle_constants(self) -> int:
        """Free constants of the angle formula; one Z is fixed."""
        return len(self.z) + len(self.c) - 1


@record
class BondTerms:
    """The rows of a bond table as the formula sees them."""

    pairs: tuple[str, ...] = doc("elements of each row: 'C-N', sorted")
    k: FloatArray = doc("AMBER's K [kcal/mol/Å²], shape=(n_rows,)")
    lengths: FloatArray = doc("r0 [Å], shape=(n_rows,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, k=np.float64, lengths=np.float64)

    def expected(self, formulas: Formulas) -> FloatArray:
        """K by the formula, NaN without a constant, shape=(n_rows,)."""
        ln_k = np.array([formulas.ln_k.get(pair, np.nan) for pair in self.pairs])
        return bond_constant(ln_k, formulas.exponent, self.lengths)


@record
class AngleTerms:
    """The rows of an angle table as the formula sees them."""

    elements: tuple[tuple[str, str, str], ...] = doc("elements of each row, the central one second")
    k: FloatArray = doc("AMBER's K [kcal/mol/rad²], shape=(n_rows,)")
    angles: FloatArray = doc("θ0 [rad], shape=(n_rows,)")
    lengths: FloatArray = doc("r0 of its two bonds [Å], NaN where a bond has no row, shape=(n_rows, 2)")

    def __post_init__(self) -> None:
        freeze_arrays(self, k=np.float64, angles=np.float64, lengths=np.float64)

    def expected(self, formulas: Formulas) -> FloatArray:
        """K by the formula, NaN without a constant or a bond, shape=(n_rows,)."""
        z, c = ({**dict.fromkeys(self.symbols, np.nan), **known} for known in (formulas.z, formulas.c))
        return angle_constant(np.array([z[i] * c[j] * z[k] for i, j, k in self.elements]), self.lengths, self.angles)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Elements that occur, sorted."""
        return tuple(sorted({symbol for elements in self.elements for symbol in elements}))


def bond_constant(ln_k: FloatArray, exponent: float, lengths: FloatArray) -> FloatArray:
    """K of bonds by the formula exp(ln K - m ln r0).

    Args:
        ln_k: Constant of the elements of each bond.
        exponent: m.
        lengths: r0 [Å].

    Returns:
        K of K (r - r0)² [kcal/mol/Å²].
    """
    constants: FloatArray = np.exp(np.asarray(ln_k) - exponent * np.log(lengths))
    return constants


def angle_constant(zcz: FloatArray, lengths: FloatArray, angles: FloatArray) -> FloatArray:
    """K of angles by the formula 143.9 Z C Z exp(-2D) / [(r1 + r2) sqrt(θ0)].

    Args:
        zcz: Product of the three constants of each angle, shape=(n,).
        lengths: r0 of its two bonds [Å], shape=(n, 2).
        angles: θ0 [rad], shape=(n,).

    Returns:
        K of K (θ - θ0)² [kcal/mol/rad²], shape=(n,).

    Example:
        >>> angle_constant(np.array([1.8]), np.array([[1.5, 1.5]]), np.array([1.91])).round(1)
        array([62.5])
    """
    sums = lengths.sum(axis=1)
    asymmetry = ((lengths[:, 0] - lengths[:, 1]) / sums) ** 2
    constants: FloatArray = ANGLE_PREFACTOR * zcz * np.exp(-2.0 * asymmetry) / (sums * np.sqrt(angles))
    return constants


def element_pair(first: str, second: str) -> str:
    """The name of a pair of elements in `Formulas.ln_k`.

    Args:
        first: Symbol.
        second: Symbol.

    Returns:
        Both, sorted.

    Example:
        >>> element_pair("N", "C")
        'C-N'
    """
    return "-".join(sorted((first, second)))


def bond_terms(bonds: RuleTable, elements: Mapping[str, str]) -> BondTerms:
    """The rows of a bond table as the formula sees them.

    Args:
        bonds: Table of bonds.
        elements: Element of each type.

    Returns:
        The rows.
    """
    pairs = (rule_id.split("-") for rule_id in bonds.ids)
    return BondTerms(
        pairs=tuple(element_pair(elements[first], elements[second]) for first, second in pairs),
        k=bonds.columns["k"].values / 2.0,
        lengths=bonds.columns["length"].values,
    )


def angle_terms(angles: RuleTable, bonds: RuleTable, elements: Mapping[str, str]) -> AngleTerms:
    """The rows of an angle table as the formula sees them.

    Args:
        angles: Table of angles.
        bonds: Table of bonds.
        elements: Element of each type.

    Returns:
        The rows.
    """
    numbers = {name: number for number, name in enumerate(elements)}
    of_bonds, of_angles = _type_numbers(bonds, numbers), _type_numbers(angles, numbers)
    matrix = np.full((len(numbers), len(numbers)), np.nan)
    matrix[of_bonds[:, 0], of_bonds[:, 1]] = matrix[of_bonds[:, 1], of_bonds[:, 0]] = bonds.columns["length"].values
    symbols = list(elements.values())
    return AngleTerms(
        elements=tuple((symbols[a], symbols[b], symbols[c]) for a, b, c in of_angles.tolist()),
        k=angles.columns["k"].values / 2.0,
        angles=angles.columns["angle"].values,
        lengths=np.stack([matrix[of_angles[:, 0], of_angles[:, 1]], matrix[of_angles[:, 1], of_angles[:, 2]]], axis=1),
    )


def effective_counts(
    tables: Mapping[str, RuleTable], elements: Mapping[str, str], formulas: Formulas
) -> dict[str, int]:
    """How many numbers each section needs when the formulas give what they give within 2 %.

    Bonds and angles: every x0, every k that the formula misses, and its constants. Propers: barriers that are not zero.
    Impropers: distinct barriers. vdW: two numbers for each distinct pair (rmin_half, epsilon).

    Args:
        tables: Tables by section.
        elements: Element of each type.
        formulas: Constants.

    Returns:
        Numbers by section.
    """
    missed_bonds = deviations(bond_terms(tables["Bonds"], elements), formulas) > TOLERANCE
    missed_angles = deviations(angle_terms(tables["Angles"], tables["Bonds"], elements), formulas) > TOLERANCE
    vdw = tables["vdW"].columns
    return {
        "Bonds": len(tables["Bonds"]) + int(missed_bonds.sum()) + formulas.n_bond_constants,
        "Angles": len(tables["Angles"]) + int(missed_angles.sum()) + formulas.n_angle_constants,
        "ProperTorsions": int(np.count_nonzero(tables["ProperTorsions"].columns["k"].values)),
        "ImproperTorsions": len(np.unique(tables["ImproperTorsions"].columns["k"].values)),
        "vdW": 2 * len(np.unique(np.stack([vdw["rmin_half"].values, vdw["epsilon"].values], axis=1), axis=0)),
    }


def deviations(terms: BondTerms | AngleTerms, formulas: Formulas) -> FloatArray:
    """How far force constants are from their formula, |K / K by the formula - 1|.

    Args:
        terms: Bonds or angles.
        formulas: Constants.

    Returns:
        A number for each row, infinite where the formula cannot be worked out, shape=(n_rows,).
    """
    found: FloatArray = np.nan_to_num(np.abs(terms.k / terms.expected(formulas) - 1.0), nan=np.inf)
    return found


def load_formulas(path: Path) -> Formulas:
    """The constants of a file ``formula.toml``.

    Args:
        path: The file.

    Returns:
        The constants.

    Raises:
        RuleFileError: The file cannot be read, or lacks a table of numbers.
    """
    content = read_toml_text(read_content(path), path).content
    bonds, angles = content.get("bonds", {}), content.get("angles", {})
    wanted = {
        "bonds.exponent": [bonds.get("exponent")],
        **{f"bonds.{name}": _values(bonds.get(name)) for name in ("ln_k", "radii")},
        **{f"angles.{name}": _values(angles.get(name)) for name in ("z", "c")},
    }
    faults = [
        Fault(f"{name} is missing or holds something that is no number")
        for name, values in wanted.items()
        if not values or not all(isinstance(value, int | float) for value in values)
    ]
    if faults:
        raise RuleFileError(str(path), faults)
    return Formulas(exponent=bonds["exponent"], ln_k=bonds["ln_k"], radii=bonds["radii"], z=angles["z"], c=angles["c"])


def _values(table: Any) -> list[Any]:
    return list(table.values()) if isinstance(table, dict) else []


def _type_numbers(table: RuleTable, numbers: Mapping[str, int]) -> IntArray:
    return np.array([[numbers[name] for name in rule_id.split("-")] for rule_id in table.ids], dtype=np.int64)
