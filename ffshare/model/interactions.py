"""From an assignment to interactions: the terms of every section and the potential that acts on each.

The numbers of a site come through the ties of the assignment, so that `idivf`, the third of a trefoil and a share of a
barrier enter in one place. What a section computes is said by its setting `potential`; of impropers the setting
`coordinate` says whether the three dihedrals of SMIRNOFF are meant (``trefoil``, the default) or the one dihedral of
the atoms as they stand (``dihedral``, as atom-typed force fields have it).

Bonds that a force field constrains keep their energy: the model is that of the unconstrained force field.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.assign import COMPLETE_SECTIONS, Assignment
from ffshare.errors import SchemeError
from ffshare.model.coordinates import FloatArray
from ffshare.model.pairs import Pairs
from ffshare.model.potentials import Cosines, Coulomb, Harmonic, LennardJones, Potential
from ffshare.model.terms import Terms
from ffshare.molecules.ragged import IntArray, ranks_in_rows
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

COULOMB_SCALE14 = 0.8333333333
"""Scale of 1-4 electrostatics where the scheme does not say: as OpenFF force fields write five sixths."""

_FOURIER = ("k*(1+cos(periodicity*theta-phase))", "k*(1+cos(periodicity*phi-phase))")
_RMIN_HALF_OF_SIGMA = 2.0 ** (1.0 / 6.0) / 2.0
_NOT_BONDED = ("vdW", "Electrostatics")
# Their sites give no energy of their own.
_WITHOUT_ENERGY = ("Constraints", "LibraryCharges", "ChargeIncrementModel", "NAGLCharges", "ToolkitAM1BCC")


@record
class Interaction:
    """Terms and the potential that acts on them."""

    terms: Terms = doc("where it acts")
    potential: Potential = doc("energy of a term as a function of its coordinate")


class _Entries(NamedTuple):
    """A column at the sites: an entry a (site, term), site-major."""

    values: FloatArray
    given: NDArray[np.bool_]


def bonded_terms(assignment: Assignment) -> dict[str, Terms]:
    """The terms of the bonded sections of an assignment, whatever its rules say.

    Args:
        assignment: Any assignment.

    Returns:
        Terms by section: Bonds, Angles, ProperTorsions, ImproperTorsions, those that it has, one term a site.

    Raises:
        SchemeError: A section is of a potential that the model does not know.
    """
    found = {}
    for section, sites in assignment.sites.items():
        if section in _BONDED:
            form = _form(assignment.tables[section])
            found[section] = Terms(form=form, atom_idxs=sites.atom_idxs, molecule_idxs=sites.molecule_idxs)
        elif section not in (*_NOT_BONDED, *_WITHOUT_ENERGY) and len(sites):
            raise SchemeError(f"{assignment.scheme}: the model has no energy for section {section!r}")
    return found


def interactions(assignment: Assignment, pairs: Pairs, charges: FloatArray | None) -> dict[str, Interaction]:
    """What acts in the molecules of an assignment.

    Args:
        assignment: Sites with a rule each.
        pairs: Pairs of atoms that interact.
        charges: Charges of the atoms [e], shape=(n_atoms,); None: no electrostatics.

    Returns:
        Interactions by section.

    Raises:
        SchemeError: A site has no rule, a rule lacks a value, or a section is of a potential that the model does not
            know.
    """
    for section in COMPLETE_SECTIONS:
        if section in assignment.sites:
            _check_covered(assignment, section)
    found = {
        section: Interaction(terms=terms, potential=_BONDED[section](assignment, section))
        for section, terms in bonded_terms(assignment).items()
    }
    if "vdW" in assignment.sites:
        found["vdW"] = Interaction(terms=pairs.terms, potential=_lennard_jones(assignment, pairs))
    if charges is not None:
        found["Electrostatics"] = Interaction(terms=pairs.terms, potential=_coulomb(assignment, pairs, charges))
    return found


def torsion_values(assignment: Assignment, section: str) -> Cosines:
    """The terms of every torsion site of a section, as many columns as the torsion with most has.

    Args:
        assignment: The assignment.
        section: ProperTorsions or ImproperTorsions.

    Returns:
        Barriers, periodicities and phases; barrier, periodicity and phase 0 where a site has fewer terms.

    Raises:
        SchemeError: A rule lacks a value.
    """
    names = ("k", "periodicity", "phase")
    entries = {name: _entries(assignment, section, name) for name in names}
    sites = np.repeat(np.arange(len(assignment.sites[section])), _n_terms(assignment, section))
    for name, (_, given) in entries.items():
        _check_given(assignment, section, name, given, sites)
    terms = ranks_in_rows(_n_terms(assignment, section))
    dense = {name: np.zeros((len(assignment.sites[section]), int(terms.max(initial=0)) + 1)) for name in names}
    for name, (values, _) in entries.items():
        dense[name][sites, terms] = values
    periodicities = np.rint(dense["periodicity"])
    if np.any(periodicities != dense["periodicity"]) or np.any(periodicities < 0):
        raise SchemeError(f"{assignment.scheme}: a periodicity of {section} is no whole number from 0 up")
    return Cosines(barriers=dense["k"], periodicities=periodicities, phases=dense["phase"])


def _harmonic(rest: str) -> Callable[[Assignment, str], Potential]:
    def build(assignment: Assignment, section: str) -> Potential:
        found = {name: _entries(assignment, section, name) for name in ("k", rest)}
        for name, (_, given) in found.items():
            _check_given(assignment, section, name, given, np.arange(len(given)))
        return Harmonic(force_constants=found["k"].values, rest_values=found[rest].values)

    return build


_BONDED: Mapping[str, Callable[[Assignment, str], Potential]] = {
    "Bonds": _harmonic("length"),
    "Angles": _harmonic("angle"),
    "ProperTorsions": torsion_values,
    "ImproperTorsions": torsion_values,
}

# Potential of a section to the form of its terms; the first is taken where a section does not say.
_FORMS: Mapping[str, Mapping[str, str]] = {
    "Bonds": {"harmonic": "length", "(k/2)*(r-length)^2": "length"},
    "Angles": {"harmonic": "angle"},
    "ProperTorsions": dict.fromkeys(_FOURIER, "dihedral"),
    "ImproperTorsions": dict.fromkeys(_FOURIER, "trefoil"),
    "vdW": {"Lennard-Jones-12-6": "length"},
    "Electrostatics": {"Coulomb": "length"},
}
_IMPROPER_FORMS = ("trefoil", "dihedral")


def _form(table: RuleTable) -> str:
    """The form of the terms of a section."""
    known = _FORMS[table.section]
    potential = table.settings.get("potential", next(iter(known)))
    if potential not in known:
        raise SchemeError(
            f"section {table.section} has the potential {potential!r}; the model computes {' or '.join(known)}; "
            "schemes with other potentials, such as MMFF94, can be assigned, counted and compared, "
            "not fitted or evaluated"
        )
    if table.section != "ImproperTorsions":
        return known[potential]
    form = table.settings.get("coordinate", known[potential])
    if form not in _IMPROPER_FORMS:
        raise SchemeError(f"impropers have the coordinate {form!r}; expected {' or '.join(_IMPROPER_FORMS)}")
    return form


def _lennard_jones(assignment: Assignment, pairs: Pairs) -> Potential:
    table = assignment.tables["vdW"]
    _form(table)
    rule = table.settings.get("combining_rules", "Lorentz-Berthelot")
    if rule != "Lorentz-Berthelot":
        raise SchemeError(f"section vdW has the combining rules {rule!r}; the model computes Lorentz-Berthelot")
    sites = assignment.sites["vdW"].atom_idxs[:, 0]
    depths, radii, sigmas = (_entries(assignment, "vdW", name) for name in ("epsilon", "rmin_half", "sigma"))
    _check_given(assignment, "vdW", "epsilon", depths.given, np.arange(len(sites)))
    _check_given(assignment, "vdW", "rmin_half or sigma", radii.given | sigmas.given, np.arange(len(sites)))
    depth, radius = np.zeros(assignment.batch.n_atoms), np.zeros(assignment.batch.n_atoms)
    depth[sites] = depths.values
    radius[sites] = np.where(radii.given, radii.values, sigmas.values * _RMIN_HALF_OF_SIGMA)
    first, second = pairs.terms.atom_idxs.T
    return LennardJones(
        well_depths=np.sqrt(depth[first] * depth[second]) * _scales(table, pairs, 0.5),
        distances=radius[first] + radius[second],
    )


def _coulomb(assignment: Assignment, pairs: Pairs, charges: FloatArray) -> Potential:
    first, second = pairs.terms.atom_idxs.T
    scales = _scales(assignment.tables.get("Electrostatics"), pairs, COULOMB_SCALE14)
    return Coulomb(products=charges[first] * charges[second] * scales)


def _scales(table: RuleTable | None, pairs: Pairs, usual: float) -> FloatArray:
    """Factor of each pair, by the settings of a section."""
    settings = {} if table is None else table.settings
    for name, needed in (("scale12", 0.0), ("scale13", 0.0), ("scale15", 1.0)):
        if float(settings.get(name, needed)) != needed:
            raise SchemeError(f"{name} is {settings[name]}; the model computes with {needed:g} only")
    return np.where(pairs.is_14, float(settings.get("scale14", usual)), 1.0)


def _entries(assignment: Assignment, section: str, column: str) -> _Entries:
    """A column at the sites, 0 where a rule has no value in it."""
    table = assignment.tables[section]
    if column not in table.columns:
        count = int(_n_terms(assignment, section).sum())
        return _Entries(np.zeros(count), np.zeros(count, dtype=bool))
    ties = assignment.tying(section, column)
    given = np.zeros(ties.n_site, dtype=bool)
    given[ties.site] = True
    return _Entries(np.asarray(ties.expand(table.columns[column].values)), given)


def _n_terms(assignment: Assignment, section: str) -> IntArray:
    """Number of terms of each site, one where no rule says more; ties have an entry for each."""
    table = assignment.tables[section]
    n_terms = np.ones(len(table) + 1, dtype=np.int64)
    for name in ("k", "periodicity"):
        if name in table.columns:
            column = table.columns[name]
            np.maximum.at(n_terms, column.rule_idxs, column.terms + 1)
    # The last entry stands for no rule.
    n_terms[-1] = 1
    return n_terms[assignment.sites[section].rule_idxs]


def _check_covered(assignment: Assignment, section: str) -> None:
    missing = np.flatnonzero(assignment.sites[section].rule_idxs < 0)
    if len(missing):
        raise SchemeError(
            f"{assignment.scheme} has no rule for {_shown(assignment, section, missing)}; leave these molecules out, "
            "see Assignment.unassigned()"
        )


def _check_given(assignment: Assignment, section: str, column: str, given: NDArray[np.bool_], sites: IntArray) -> None:
    """Whether the rule of every site has a value; those interpolated between bond orders have none of their own."""
    rules = assignment.sites[section].rule_idxs[sites]
    bad = np.flatnonzero(~given & (rules >= 0))
    if len(bad):
        rule = assignment.tables[section].ids[int(rules[bad[0]])]
        where = _shown(assignment, section, sites[bad])
        raise SchemeError(f"{assignment.scheme}: rule {rule} gives no plain value of {column} for {where}")


def _shown(assignment: Assignment, section: str, places: IntArray) -> str:
    """Some sites in words: how many, and the first."""
    sites, batch = assignment.sites[section], assignment.batch
    molecule = int(sites.molecule_idxs[places[0]])
    atoms = "-".join(map(str, batch.local_idxs(sites.atom_idxs[places[0]]).tolist()))
    named = f" ({batch.names[molecule]})" if batch.names[molecule] else ""
    return f"{len(places)} terms of {section}, the first {atoms} of molecule {molecule}{named}"
