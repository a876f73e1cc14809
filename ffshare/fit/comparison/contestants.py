"""Who takes part in a comparison: schemes by name, with soft ties, and controls drawn several times.

``SCHEME+soft`` is a scheme of SMIRKS rules whose rules are drawn towards their parents. A control that shares at random
(``hashed:SCHEME``) is drawn with as many rules as the molecules exercise of its base, once for each of several seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ffshare.assign import Scheme, load_scheme
from ffshare.assign.controls.hashed import HashedScheme
from ffshare.assign.controls.hashed_element import HashedElementScheme
from ffshare.assign.parents import parents
from ffshare.data_files import data_directory
from ffshare.errors import InputError
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.parameters import BONDED
from ffshare.molecules import GraphBatch, read
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record

SOFT = "+soft"
AT_RANDOM: Mapping[str, type[HashedScheme] | type[HashedElementScheme]] = {
    "hashed": HashedScheme,
    "hashed-element": HashedElementScheme,
}

SCHEMES = (
    "openff-2.2.1",
    "openff-2.2.1+soft",
    "openff-2.3.0",
    "gaff",
    "gaff2",
    "mmff94",
    "untied",
    "hashed-element:openff-2.2.1",
    "hashed:openff-2.2.1",
)
"""Schemes that are compared where none are named."""

# Files of molecules that ffshare brings along, in which rules find their parents: no reference data belong to them.
_PARENT_MOLECULES = ("drugs.smi", "fragments.smi", "alkethoh.smi")


@record
class Contestant:
    """One scheme that is fitted."""

    group: str = doc("what it is shown as; draws of one control share it")
    scheme: str = doc("name that `load_scheme` knows")
    is_soft: bool = doc("whether its rules are drawn towards their parents", default=False)
    checksums: tuple[str, ...] = doc("of the files of its rules: edited rules are another contestant", default=())

    def load(self) -> Scheme:
        """The scheme."""
        return load_scheme(self.scheme)

    def parents(self) -> dict[str, IntArray]:
        """The parent of each rule by section, found in the molecules that ffshare brings along.

        Returns:
            As `ffshare.assign.parents.parents` has them.

        Raises:
            SchemeError: The rules of the scheme are not SMIRKS.
        """
        folder = data_directory("molecules")
        batch = read(*(folder / name for name in _PARENT_MOLECULES))
        assignment = self.load().assign(batch)
        return {section: parents(section, assignment) for section in BONDED if section in assignment.tables}


def contestants(names: Sequence[str], batch: GraphBatch, n_draws: int) -> tuple[Contestant, ...]:
    """The schemes of a comparison.

    Args:
        names: Names of schemes, perhaps with ``+soft`` behind them; controls with settings of their own are drawn once.
        batch: The molecules, whose sites say how many rules a base exercises.
        n_draws: How often a control that shares at random is drawn.

    Returns:
        All, in the order of the names.

    Raises:
        InputError: A name comes twice, or a control is to be drawn less than once.
        SchemeError: A name is no scheme.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{twice[0]} is named twice; name each scheme once")
    if n_draws < 1:
        raise InputError(f"{n_draws} draws of a control that shares at random; give 1 or more")
    found = []
    for name in names:
        kind, colon, base = name.partition(":")
        if colon and kind in AT_RANDOM and "?" not in base:
            n_rules = exercised_rules(load_scheme(base), batch)
            made = (AT_RANDOM[kind](load_scheme(base), None, seed, n_rules) for seed in range(n_draws))
            found += [_contestant(name, scheme.name, scheme) for scheme in made]
        else:
            plain = name.removesuffix(SOFT)
            found.append(_contestant(name, plain, load_scheme(plain)))
    return tuple(found)


def _contestant(group: str, name: str, scheme: Scheme) -> Contestant:
    return Contestant(
        group=group, scheme=name, is_soft=group.endswith(SOFT), checksums=tuple(scheme.checksums.values())
    )


def exercised_rules(scheme: Scheme, batch: GraphBatch) -> dict[str, int]:
    """How many rules of each bonded section the molecules exercise.

    Args:
        scheme: The scheme.
        batch: The molecules.

    Returns:
        Numbers by section, of sections with a rule in use.
    """
    rules = CommonSites.of(batch).rules_of(scheme.assign(batch))
    counts = {section: len(np.unique(of[of >= 0])) for section, of in rules.items()}
    return {section: count for section, count in counts.items() if count}
