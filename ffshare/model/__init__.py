"""Energies and forces of molecules at given geometries, and their derivatives by the parameters of the sites."""

from ffshare.model.basis import Basis, Springs, Waves, derivative_bases, linear_bases
from ffshare.model.charges import charges_by_name
from ffshare.model.coordinates import STRAIGHT_ANGLE
from ffshare.model.design import Design, MoleculeColumns
from ffshare.model.frames import Frames
from ffshare.model.interactions import bonded_terms
from ffshare.model.model import Energies, Evaluation, Model
from ffshare.model.rule_ties import rule_ties
from ffshare.model.terms import Terms, straight_frames

__all__ = [
    "STRAIGHT_ANGLE",
    "Basis",
    "Design",
    "Energies",
    "Evaluation",
    "Frames",
    "Model",
    "MoleculeColumns",
    "Springs",
    "Terms",
    "Waves",
    "bonded_terms",
    "charges_by_name",
    "derivative_bases",
    "linear_bases",
    "rule_ties",
    "straight_frames",
]
