"""How the parameters of a scheme feed the slots of a linear design.

The ties of an assignment say which free parameter feeds which term of which site. Bonds and angles are linear in k and
k·x0, which stand for k and x0 of a rule; a torsion term of fixed periodicity n and phase γ feeds the slots cos nφ and
sin nφ of its site with cos γ and sin γ:

    k (1 + cos(nφ - γ)) = k + (k cos γ) cos nφ + (k sin γ) sin nφ.

So every scheme is a sharing of the same slots.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from ffshare.assign import Assignment
from ffshare.errors import TyingError
from ffshare.model.basis import LEAST_SHARE, Basis
from ffshare.model.interactions import torsion_values
from ffshare.tying import LinearTying


def rule_ties(assignment: Assignment, bases: Mapping[str, Basis]) -> LinearTying:
    """The free parameters of a scheme → the slots of a design of all its bonded sites.

    Args:
        assignment: Sites and rules. Sites without a rule get nothing.
        bases: Bases of the design, linear ones, by section.

    Returns:
        Ties with the keys (section, rule_id, name, term); names are k and k*x0 for bonds and angles, k for torsions.
        The amplitudes of the slots are what they expand the parameters to.

    Raises:
        TyingError: A rule has a periodicity, or needs a sine, that is not in the basis of its section.
        SchemeError: A rule of a torsion lacks a value.

    Example:
        >>> import ffshare
        >>> from ffshare.model.basis import linear_bases
        >>> ethane = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CC"))
        >>> ties = rule_ties(ethane, {"Bonds": linear_bases(ethane.tables)["Bonds"]})
        >>> ties.n_site, ties.keys[90], int(ties.is_seen.sum())
        (14, ('Bonds', 'b1', 'k*x0', 0), 4)
    """
    joint = LinearTying.identity(0)
    for section, basis in bases.items():
        if section in assignment.sites:
            joint = joint | _TIES[section](assignment, section, basis)
    return joint


def _springs(assignment: Assignment, section: str, basis: Basis) -> LinearTying:
    """Of each rule k feeds the first slot of its sites and k·x0 the second."""
    k = assignment.tying(section, "k")
    keys = cast("Sequence[tuple[str, str, str, int]]", k.keys)
    k_rest = k.relabel(keys=[(section, rule_id, "k*x0", term) for _, rule_id, _, term in keys])
    # From all of the first and then all of the second to site by site.
    return (k | k_rest)[np.arange(2 * k.n_site).reshape(2, -1).T.ravel()]


def _waves(assignment: Assignment, section: str, basis: Basis) -> LinearTying:
    """The barrier of each term feeds the cosine and the sine of its periodicity."""
    values = torsion_values(assignment, section)
    k = assignment.tying(section, "k")
    # The entries of the ties: the terms of the sites, and one for a site without any.
    has_entry = values.periodicities > 0
    has_entry[:, 0] = True
    sites, terms = np.nonzero(has_entry)
    if len(sites) != k.n_site:
        raise TyingError(f"a rule of {section} has the periodicity 0")
    places = {name: place for place, name in enumerate(basis.names)}
    n, phases = values.periodicities[sites, terms], values.phases[sites, terms]
    slots, entries, coefs = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    for kind, share in (("cos", np.cos(phases)), ("sin", np.sin(phases))):
        for multiple in np.unique(n[n > 0]).tolist():
            chosen = np.flatnonzero((n == multiple) & (np.abs(share) > LEAST_SHARE))
            if not len(chosen):
                continue
            if f"{kind} {multiple}" not in places:
                raise TyingError(f"{assignment.scheme} needs {kind} {multiple}φ in {section}, which the basis lacks")
            slots.append(sites[chosen] * len(places) + places[f"{kind} {multiple}"])
            entries.append(chosen)
            coefs.append(share[chosen])
    waves = LinearTying(
        site=np.concatenate(slots),
        free=np.concatenate(entries),
        coef=np.concatenate(coefs),
        n_site=len(assignment.sites[section]) * len(places),
        n_free=k.n_site,
    )
    return waves @ k


_TIES: Mapping[str, Callable[[Assignment, str, Basis], LinearTying]] = {
    "Bonds": _springs,
    "Angles": _springs,
    "ProperTorsions": _waves,
    "ImproperTorsions": _waves,
}
