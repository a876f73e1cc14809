"""Values for terms that no row of a table fits: the published formulas, and the default improper.

A bond a-b that is missing gets r0 = R_a + R_b and K = exp(ln K_ab - m ln r0). An angle a-b-c that is missing gets
θ0 = [θ(a-b-a) + θ(c-b-c)] / 2 from the table, and K from its formula with the lengths of its two bonds; where one of
these is missing too, or an element has no constant, there is no value. Each value comes with a sentence that says how
it was made, the same for every molecule in which the term occurs.

Reference: Wang, Wolf, Caldwell, Kollman, Case, J. Comput. Chem. 25, 1157 (2004), 10.1002/jcc.20035.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ffshare.assign.atom_types.definition import AtomTypedForceField
from ffshare.assign.atom_types.formulas import ANGLE_PREFACTOR, angle_constant, bond_constant, element_pair
from ffshare.assign.atom_types.keys import ANY, Key
from ffshare.records import doc, record
from ffshare.rules.table import Column, RuleTable


@record
class AddedRule:
    """A rule that no file holds."""

    id: str = doc("its id: the key of the term, of the default improper X-X-X-X")
    values: tuple[float, ...] = doc("value of each column of its section's table, in ffshare's units")
    words: str = doc("how the values were made")


class Known(NamedTuple):
    """An equilibrium value that a formula needs, and where it comes from."""

    value: float
    """In ffshare's units."""
    source: str
    """Key, and how it was found where it is not the table's own."""


def empirical_bond(definition: AtomTypedForceField, key: Key) -> AddedRule | None:
    """A bond by radii and formula.

    Args:
        definition: The force field.
        key: Its types.

    Returns:
        The rule; None where the force field has no constant for it.
    """
    formulas = definition.formulas
    if formulas is None:
        return None
    pair = element_pair(*(definition.elements.get(name, "?") for name in key))
    if pair not in formulas.ln_k or any(name not in formulas.radii for name in key):
        return None
    radii = [formulas.radii[name] for name in key]
    ln_k, length = formulas.ln_k[pair], sum(radii)
    constant = float(bond_constant(np.array(ln_k), formulas.exponent, np.array(length)))
    words = (
        f"length = R({key[0]}) + R({key[1]}) = {radii[0]} + {radii[1]} = {length:.4f} Å, "
        f"k/2 = exp({ln_k} - {formulas.exponent} ln length) = {constant:.2f} kcal/mol/Å²"
    )
    return AddedRule(id="-".join(key), values=(2.0 * constant, length), words=words)


def empirical_angle(
    definition: AtomTypedForceField, key: Key, bonds: Sequence[Known | None], angles: Sequence[Known | None]
) -> AddedRule | None:
    """An angle by its formula.

    Args:
        definition: The force field.
        key: Its types.
        bonds: Lengths of its first and its second bond [Å].
        angles: The angles a-b-a and c-b-c [rad].

    Returns:
        The rule; None where a bond, an angle or a constant is missing.
    """
    formulas = definition.formulas
    first, centre, last = (definition.elements.get(name, "?") for name in key)
    r, theta = ([known for known in of_two if known is not None] for of_two in (bonds, angles))
    if formulas is None or len(r) < 2 or len(theta) < 2:
        return None
    constants = (formulas.z.get(first), formulas.c.get(centre), formulas.z.get(last))
    if any(constant is None for constant in constants):
        return None
    zcz = math.prod(constant for constant in constants if constant is not None)
    angle = (theta[0].value + theta[1].value) / 2.0
    lengths = np.array([[known.value for known in r]])
    constant = float(angle_constant(np.array([zcz]), lengths, np.array([angle]))[0])
    terms = " + ".join(f"{math.degrees(known.value):.3f} [{known.source}]" for known in theta)
    words = (
        f"angle = ({terms}) / 2 = {math.degrees(angle):.3f} degrees, "
        f"k/2 = {ANGLE_PREFACTOR} Z({first}) C({centre}) Z({last}) exp(-2D) / ((r1 + r2) sqrt(angle)) = "
        f"{constant:.3f} kcal/mol/rad² with Z C Z = {' * '.join(map(str, constants))}, "
        f"r1 = {r[0].value:.4f} Å [{r[0].source}], r2 = {r[1].value:.4f} Å [{r[1].source}]"
    )
    return AddedRule(id="-".join(key), values=(2.0 * constant, angle), words=words)


def default_improper(definition: AtomTypedForceField) -> AddedRule | None:
    """The improper of centres that no row fits: one rule for all, X-X-X-X.

    Args:
        definition: The force field.

    Returns:
        The rule; None where the force field has none.
    """
    default = definition.default_improper
    if default is None:
        return None
    values = (float(default.barrier), float(default.periodicity), math.radians(default.phase), 1.0)
    words = f"barrier {default.barrier} kcal/mol, phase {default.phase:g} degrees, periodicity {default.periodicity}"
    return AddedRule(id="-".join([ANY] * 4), values=values, words=words)


def added_table(table: RuleTable, added: Sequence[AddedRule]) -> RuleTable:
    """Added rules as a table of their section.

    Args:
        table: Table of the section.
        added: The rules.

    Returns:
        A table with the columns of the section, one term a rule.
    """
    ids = tuple(rule.id for rule in added)
    values = np.array([rule.values for rule in added]).reshape(len(ids), len(table.columns))
    none = np.zeros(len(ids), dtype=np.int64)
    return RuleTable(
        section=table.section,
        ids=ids,
        patterns=ids,
        columns={
            name: Column(
                name=name,
                unit=column.unit,
                values=of_rules,
                rule_idxs=np.arange(len(ids)),
                terms=none,
                free=column.free,
            )
            for (name, column), of_rules in zip(table.columns.items(), values.T, strict=True)
        },
        lines=(0,) * len(ids),
        sources=("",) * len(ids),
        attributes=({},) * len(ids),
        settings=table.settings,
    )
