"""How many numbers of a scheme reference data identify, at the values that it has: the last of the four counts.

Nothing is fitted. The data see the parameters p of a scheme through the rows J of `ffshare.fit.residuals`, and rank J
is the number of their combinations that the data identify (`ffshare.fit.identifiability`). It is taken at the values
of the scheme, since the rest value of a spring shows in proportion to its force constant.

The total is the rank of all columns together: what a fit of everything could tell. The number of a section is the rank
of its own columns: what a fit of that section alone could tell, with the values of the others known. So the total is at
most the sum of the sections, and less where data see only a combination across sections, such as one of a bond and an
angle that always move together.

Taken as known are van der Waals parameters, charges and values that a scheme guesses: they are no columns. Charges
would only say which conformers are clashes (`ffshare.fit.weights`), and are left out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.assign import Assignment
from ffshare.errors import SchemeError
from ffshare.fit.accumulate import accumulate
from ffshare.fit.identifiability import Identifiability, IdentifiabilitySettings, identify, ranks_alone
from ffshare.fit.objective import Objective
from ffshare.fit.parameters import Parameters
from ffshare.fit.priors import Priors
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.rows import spread, touching_factor
from ffshare.fit.weights import Weights
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record


@record
class Identifiable:
    """What reference data identify of the bonded parameters of a scheme, at its own values."""

    sections: Mapping[str, int] = doc("combinations of each section that are identified where the others are known")
    total: int = doc("combinations of all parameters together that are identified")
    n_touched: int = doc("parameters that the data touch, guessed ones left out")
    n_molecules: int = doc("entries of the reference data that took part")
    n_skipped: int = doc("entries with a term that no rule matches, which did not")
    identifiability: Identifiability = doc("spectrum, and what is determined only together, in words")

    def __repr__(self) -> str:
        return f"Identifiable({self.total} of {self.n_touched} parameters, {self.n_molecules} molecules)"


def identifiable(
    assignment: Assignment,
    reference: Sequence[ReferenceMolecule],
    *,
    weights: Weights | None = None,
    settings: IdentifiabilitySettings | None = None,
) -> Identifiable:
    """How many numbers of a scheme some reference data identify.

    Args:
        assignment: The molecules with the rules of the scheme.
        reference: Reference data of the molecules of its batch, in their order.
        weights: Errors allowed; energies or forces that do not count by them are not seen.
        settings: What counts as identified.

    Returns:
        The numbers, by section and in total.

    Raises:
        SchemeError: The scheme has terms that are no springs and cosines, or a rule that is used lacks a value.
        InputError: The reference data are those of other molecules, or of several levels of theory.

    Example:
        >>> import ffshare
        >>> water = ReferenceMolecule(
        ...     smiles="[O:1]([H:2])[H:3]",
        ...     coords=[[[0, 0, 0], [a, 0, 0], [-0.24, 0.93, 0]] for a in (0.94, 0.96, 0.98)],
        ...     energies=[0.3, 0.0, 0.2],
        ... )
        >>> assignment = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("O"))
        >>> identifiable(assignment, [water]).sections
        {'Bonds': 2, 'Angles': 0, 'ProperTorsions': 0, 'ImproperTorsions': 0}
    """
    problem = FitProblem.of(assignment, weights=weights)
    sums = accumulate(problem, reference)
    parameters = problem.parameters
    chosen = np.setdiff1d(sums.equations.touched, _guessed(assignment, parameters))
    mine = parameters.part(chosen)
    missing = np.flatnonzero(~np.isfinite(mine.values))
    if len(missing):
        raise SchemeError(
            f"{assignment.scheme}: {len(missing)} parameters have no value, the first {mine.names[missing[0]]}"
        )
    objective = Objective.of(mine, sums.equations.part(chosen), mine.values, Priors(strength=0.0))
    factor = spread(touching_factor(problem, reference, sums), chosen, problem.n_columns)
    found = identify(objective, mine.values, settings, factor)
    of = np.array([key[0] for key in mine.keys], dtype=np.str_)
    groups = {section: of == section for section in problem.sections}
    alone = {section: int(group.sum()) for section, group in groups.items()}
    if found.rank < len(mine):  # else each is identified with any others beside it
        alone = ranks_alone(objective, mine.values, groups, settings, factor)
    return Identifiable(
        sections=alone,
        total=found.rank,
        n_touched=len(mine),
        n_molecules=sums.equations.n_molecules,
        n_skipped=len(problem.skipped),
        identifiability=found,
    )


def _guessed(assignment: Assignment, parameters: Parameters) -> IntArray:
    """The parameters of rules that were made for the molecules at hand and are guesses everywhere."""
    guesses = {section: _guesses(assignment, section) for section in assignment.sites}
    found = []
    for idx, (section, _, column, _) in enumerate(parameters.keys):
        columns = assignment.tables[section].columns
        if column in columns and guesses[section][columns[column].rule_idxs[parameters.entries[idx]]]:
            found.append(idx)
    return np.array(found, dtype=np.int64)


def _guesses(assignment: Assignment, section: str) -> NDArray[np.bool_]:
    """Whether each rule of a section is a guess, as `ffshare.assign.count` has it, shape=(n_rules,)."""
    table, sites = assignment.tables[section], assignment.sites[section]
    known = sites.rule_idxs[(sites.rule_idxs >= 0) & ~sites.guessed]
    is_guess: NDArray[np.bool_] = np.bincount(known, minlength=len(table)) == 0
    is_guess[: len(table) - table.n_added] = False
    return is_guess
