"""Units that quantum-chemistry files come in, as factors to internal ones.

Reference: CODATA 2018, Rev. Mod. Phys. 93, 025010 (2021), doi:10.1103/RevModPhys.93.025010: Hartree energy
4.3597447222071e-18 J, Bohr radius 5.29177210903e-11 m, and the exact e, N_A of the SI of 2019. A calorie is 4.184 J.
"""

from ffshare.errors import UnitError

_AVOGADRO = 6.02214076e23
_KCAL = 4184.0

HARTREE = 4.3597447222071e-18 * _AVOGADRO / _KCAL
"""One Hartree an entity [kcal/mol]: 627.5095."""

BOHR = 0.529177210903
"""The Bohr radius [Å]."""

_EV = 1.602176634e-19 * _AVOGADRO / _KCAL

ENERGY_UNITS: dict[str, float] = {
    "kcal/mol": 1.0,
    "kj/mol": 1 / 4.184,
    "hartree": HARTREE,
    "ev": _EV,
    "mev": _EV / 1000,
}
LENGTH_UNITS: dict[str, float] = {"angstrom": 1.0, "å": 1.0, "bohr": BOHR, "nm": 10.0, "nanometer": 10.0}


def energy_factor(unit: str) -> float:
    """How many kcal/mol one of an energy unit is.

    Args:
        unit: A name in `ENERGY_UNITS`, upper and lower case alike.

    Returns:
        The factor.

    Raises:
        UnitError: The name is unknown.

    Example:
        >>> round(energy_factor("eV"), 4)
        23.0605
    """
    return _factor(unit, ENERGY_UNITS, "energy")


def length_factor(unit: str) -> float:
    """How many Å one of a length unit is.

    Args:
        unit: A name in `LENGTH_UNITS`, upper and lower case alike.

    Returns:
        The factor.

    Raises:
        UnitError: The name is unknown.
    """
    return _factor(unit, LENGTH_UNITS, "length")


def _factor(unit: str, known: dict[str, float], what: str) -> float:
    try:
        return known[unit.strip().casefold()]
    except KeyError:
        raise UnitError(unit, f"is no unit of {what} that is known here; known are {', '.join(known)}") from None
