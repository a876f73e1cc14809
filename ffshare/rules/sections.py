"""What the sections of a SMIRNOFF force field hold: elements, tags, attributes and their units.

One table, `SECTIONS`, says for every section which XML element its rules have, how many atoms their SMIRKS tag, and
which attributes are quantities. A section that is not in the table (an extension that a plug-in of openff-toolkit
defines) keeps its patterns and its attributes as text and has no columns.

Reference: SMIRNOFF specification 0.3 and the versions of its sections that openff-toolkit 0.18 reads.
"""

import functools
import re
from typing import Literal, NamedTuple

from ffshare.records import doc, record

Form = Literal["single", "terms", "bond orders", "terms and bond orders"]

# How an attribute is spelled in a file, after its name. Terms and bond orders count from 1, in as many digits as fit
# into an integer of arrays.
_SPELLINGS: dict[Form, str] = {
    "single": r"{name}",
    "terms": r"{name}(?P<term>[1-9][0-9]{{0,8}})",
    "bond orders": r"{name}_bondorder(?P<order>[1-9][0-9]{{0,8}})",
    "terms and bond orders": r"{name}(?P<term>[1-9][0-9]{{0,8}})_bondorder(?P<order>[1-9][0-9]{{0,8}})",
}


@record
class Attribute:
    """One quantity that the rules of a section hold."""

    name: str = doc("name without indices")
    unit: str = doc("internal unit; '' for a pure number")
    form: Form = doc("whether it has one value, one a term, one a bond order, or one for both", default="single")
    free: bool = doc("whether a fit could move it", default=True)


@record
class Section:
    """What one section holds."""

    element: str = doc("XML element of its rules; '' for a section without rules")
    versions: tuple[str, ...] = doc("versions of the section that are read", default=("0.3",))
    n_tags: int | None = doc("atoms that a SMIRKS tags; None where the rule decides", default=None)
    bonded: tuple[tuple[int, int], ...] = doc("pairs of tags that the pattern must bond", default=())
    attributes: tuple[Attribute, ...] = doc("quantities, in the order of the columns", default=())
    needed: tuple[tuple[str, ...], ...] = doc("groups of attributes of which a rule has exactly one", default=())
    exclusive: tuple[tuple[str, ...], ...] = doc("groups of attributes of which a rule has at most one", default=())
    potentials: tuple[str, ...] = doc("functional forms that are read; () where any is", default=())


@record
class VirtualSiteKind:
    """What a type of virtual site needs."""

    n_tags: int = doc("atoms that its SMIRKS tags; it has as many charge increments")
    angles: tuple[str, ...] = doc("angles that place it")
    matches: tuple[str, ...] = doc("values of `match` that it takes")


class ValueKey(NamedTuple):
    """An attribute as one file spells it, taken apart: ``k2_bondorder1`` is term 1 of column ``k_bondorder1``."""

    attribute: Attribute
    column: str
    term: int


_ENERGY, _LENGTH, _ANGLE, _CHARGE = "kcal/mol", "Å", "rad", "e"
_FOURIER = "k*(1+cos(periodicity*theta-phase))"

_PHASE = (
    Attribute(name="periodicity", unit="", form="terms", free=False),
    Attribute(name="phase", unit=_ANGLE, form="terms", free=False),
    Attribute(name="k", unit=_ENERGY, form="terms"),
    Attribute(name="idivf", unit="", form="terms", free=False),
)
_NEEDED_BY_TORSIONS = (("periodicity",), ("phase",))
_LENNARD_JONES = (
    Attribute(name="epsilon", unit=_ENERGY),
    Attribute(name="rmin_half", unit=_LENGTH),
    Attribute(name="sigma", unit=_LENGTH),
)

SECTIONS: dict[str, Section] = {
    "Constraints": Section(element="Constraint", n_tags=2, attributes=(Attribute(name="distance", unit=_LENGTH),)),
    "Bonds": Section(
        element="Bond",
        versions=("0.3", "0.4"),
        n_tags=2,
        bonded=((1, 2),),
        attributes=(
            Attribute(name="length", unit=_LENGTH),
            Attribute(name="k", unit="kcal/mol/Å²"),
            Attribute(name="length", unit=_LENGTH, form="bond orders"),
            Attribute(name="k", unit="kcal/mol/Å²", form="bond orders"),
        ),
        needed=(("length", "length_bondorder"), ("k", "k_bondorder")),
        potentials=("harmonic", "(k/2)*(r-length)^2"),
    ),
    "Angles": Section(
        element="Angle",
        n_tags=3,
        bonded=((1, 2), (2, 3)),
        attributes=(Attribute(name="angle", unit=_ANGLE), Attribute(name="k", unit="kcal/mol/rad²")),
        needed=(("angle",), ("k",)),
        potentials=("harmonic",),
    ),
    "ProperTorsions": Section(
        element="Proper",
        versions=("0.3", "0.4"),
        n_tags=4,
        bonded=((1, 2), (2, 3), (3, 4)),
        attributes=(*_PHASE, Attribute(name="k", unit=_ENERGY, form="terms and bond orders")),
        needed=(*_NEEDED_BY_TORSIONS, ("k", "k_bondorder")),
        potentials=(_FOURIER,),
    ),
    "ImproperTorsions": Section(
        element="Improper",
        n_tags=4,
        # The centre, tag 2, should be bonded to the others; ff14sb_off_impropers_0.0.1 was released with another.
        attributes=_PHASE,
        needed=(*_NEEDED_BY_TORSIONS, ("k",)),
        potentials=(_FOURIER,),
    ),
    # The extension of the ff14SB ports. Its centre is the third atom, as in AMBER's files.
    "AmberImproperTorsions": Section(
        element="Improper",
        n_tags=4,
        bonded=((1, 3), (2, 3), (3, 4)),
        attributes=_PHASE,
        needed=(*_NEEDED_BY_TORSIONS, ("k",)),
        potentials=(_FOURIER,),
    ),
    "vdW": Section(
        element="Atom",
        versions=("0.3", "0.4", "0.5"),
        n_tags=1,
        attributes=_LENNARD_JONES,
        needed=(("epsilon",), ("rmin_half", "sigma")),
        potentials=("Lennard-Jones-12-6",),
    ),
    "Electrostatics": Section(element="", versions=("0.3", "0.4")),
    "LibraryCharges": Section(
        element="LibraryCharge",
        attributes=(Attribute(name="charge", unit=_CHARGE, form="terms"),),
        needed=(("charge",),),
    ),
    "NAGLCharges": Section(element=""),
    "ToolkitAM1BCC": Section(element=""),
    "ChargeIncrementModel": Section(
        element="ChargeIncrement",
        versions=("0.3", "0.4"),
        attributes=(Attribute(name="charge_increment", unit=_CHARGE, form="terms"),),
        needed=(("charge_increment",),),
    ),
    "GBSA": Section(
        element="Atom",
        n_tags=1,
        attributes=(Attribute(name="radius", unit=_LENGTH), Attribute(name="scale", unit="")),
        needed=(("radius",), ("scale",)),
    ),
    "VirtualSites": Section(
        element="VirtualSite",
        attributes=(
            Attribute(name="distance", unit=_LENGTH),
            Attribute(name="outOfPlaneAngle", unit=_ANGLE),
            Attribute(name="inPlaneAngle", unit=_ANGLE),
            Attribute(name="charge_increment", unit=_CHARGE, form="terms"),
            *_LENNARD_JONES,
        ),
        needed=(("distance",), ("charge_increment",)),
        exclusive=(("rmin_half", "sigma"),),
    ),
}

VIRTUAL_SITES: dict[str, VirtualSiteKind] = {
    "BondCharge": VirtualSiteKind(n_tags=2, angles=(), matches=("all_permutations",)),
    "MonovalentLonePair": VirtualSiteKind(
        n_tags=3, angles=("outOfPlaneAngle", "inPlaneAngle"), matches=("all_permutations",)
    ),
    "DivalentLonePair": VirtualSiteKind(n_tags=3, angles=("outOfPlaneAngle",), matches=("once", "all_permutations")),
    "TrivalentLonePair": VirtualSiteKind(n_tags=4, angles=(), matches=("once",)),
}


@functools.lru_cache(maxsize=4096)
def value_key(section: str, key: str) -> ValueKey | None:
    """The quantity that an attribute of a rule gives, if it gives one.

    Args:
        section: SMIRNOFF's name of the section.
        key: Name of the attribute as written.

    Returns:
        The quantity, its column and its term (from 0); None for cosmetic attributes and text.

    Example:
        >>> value_key("ProperTorsions", "k2")[1:]
        ('k', 1)
        >>> value_key("ProperTorsions", "k2_bondorder3")[1:]
        ('k_bondorder3', 1)
        >>> value_key("ProperTorsions", "parameterize") is None
        True
    """
    for attribute in SECTIONS[section].attributes if section in SECTIONS else ():
        match = re.fullmatch(_SPELLINGS[attribute.form].format(name=attribute.name), key)
        if match:
            found = match.groupdict()
            suffix = f"_bondorder{found['order']}" if found.get("order") else ""
            return ValueKey(attribute, attribute.name + suffix, int(found.get("term") or 1) - 1)
    return None
