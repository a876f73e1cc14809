"""What the rules of a scheme do on molecules: every match, losers too, for lint."""

import numpy as np

from ffshare.assign.shapes import SHAPES
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.molecules import GraphBatch
from ffshare.rules import Observations, rule_use


def observe(scheme: SmirnoffScheme, batch: GraphBatch, molecules: str = "the input") -> Observations:
    """Of the sites that each rule of a scheme matches in some molecules, how many each rule wins.

    Args:
        scheme: A SMIRNOFF scheme.
        batch: The molecules.
        molecules: What they are, for messages.

    Returns:
        The use of the rules of Constraints, Bonds, Angles, ProperTorsions, ImproperTorsions and vdW.

    Example:
        >>> import ffshare
        >>> seen = observe(ffshare.load_scheme("openff-2.2.1"), ffshare.from_smiles("CC"))
        >>> seen.uses["Bonds"].n_sites.tolist()
        [1, 6]
    """
    uses = {}
    for section in scheme.tables:
        if section in SHAPES:
            _, tuples, rules = scheme.every_match(batch, section)
            uses[section] = rule_use(tuples, np.asarray(rules))
    return Observations(molecules=molecules, n_molecules=batch.n_molecules, uses=uses)
