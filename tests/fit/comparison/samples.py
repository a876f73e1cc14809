"""Small reference data and the parts of a comparison on them."""

import dataclasses
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ffshare.fit import Background, ReferenceData, Weights
from ffshare.fit.comparison import TermsOf
from ffshare.fit.comparison.scheme import SchemeProblem, SlotValues
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.sums import SiteSums
from ffshare.fit.comparison.values import slot_values
from ffshare.fit.guesses import MinimumHessian
from tests.fit.test_evaluate import made_by
from tests.model.samples import scheme_of

COMMON, OWN = TermsOf(), TermsOf(periodicities=None)
WEIGHTS = Weights(energy=0.7, force=4.0)
# Every improper of these is at a planar centre and has a rule in openff-2.2.1.
COVERED = ("CCO", "CC=O", "CC(N)=O", "COC", "CN", "C=CC", "CCF", "OC=O")
# Two stereoisomers, a nitrile oxide without, sulfur, rings, a proper with odd phases, an amine that is not planar.
VARIED = ("CCO", "C/C=C/C", r"C/C=C\C", "CC(N)=O", "COC", "CN", "C=CC", "CC#N", "OC=O", "CS", "C1CC1", "CCF")


@cache
def data(smiles=COVERED, n_conformers=4, scheme="gaff"):
    """What a force field says of distorted molecules."""
    return tuple(made_by(scheme_of(scheme), each, n_conformers=n_conformers) for each in smiles)


def reference_of(molecules):
    return ReferenceData(molecules=tuple(molecules))


def spoilt(molecule):
    """A molecule whose energies and forces are others."""
    rng = np.random.default_rng(len(molecule.smiles))
    return dataclasses.replace(
        molecule,
        energies=molecule.energies + rng.normal(scale=3.0, size=molecule.energies.shape),
        forces=None if molecule.forces is None else molecule.forces * 1.3,
    )


def hessian_of(molecule, stiffness=300.0):
    """A Hessian of springs between all atoms, at the first conformer: no molecule, but full of stiffness."""
    coords, n = molecule.coords[0], molecule.n_atoms
    hessian = np.zeros((n, 3, n, 3))
    for i in range(n):
        for j in range(i):
            apart = coords[i] - coords[j]
            block = stiffness * (1.5 / np.linalg.norm(apart)) ** 4 * np.outer(apart, apart) / (apart @ apart)
            for first, second in ((i, j), (j, i)):
                hessian[first, :, first] += block
                hessian[first, :, second] -= block
    return MinimumHessian(coords=coords, hessian=hessian.reshape(3 * n, 3 * n))


class Parts(NamedTuple):
    """Everything up to a fit."""

    molecules: tuple[Any, ...]
    sites: CommonSites
    labelled: Any
    bases: Any
    background: Background
    sums: SiteSums
    values: SlotValues

    def problem(self, edges=None):
        return SchemeProblem.of(self.labelled, self.sites, self.bases, self.sums, self.values, edges)


def parts_of(scheme, molecules, terms=COMMON, hessians=None, weights=WEIGHTS, folder=None):
    """The parts of a comparison of one scheme on some molecules."""
    batch = reference_of(molecules).batch()
    sites = CommonSites.of(batch)
    labelled = terms.labelled(scheme_of(scheme).assign(batch), sites)
    bases = terms.bases([labelled])
    behind = scheme_of("openff-2.2.1").assign(batch)
    background = Background(assignment=behind, charges="gasteiger", sections=("vdW", "Electrostatics"))
    sums = SiteSums.of(labelled, bases, molecules, background, weights, folder)
    return Parts(molecules, sites, labelled, bases, background, sums, slot_values(sites, bases, molecules, hessians))


@cache
def parts(scheme="openff-2.2.1", smiles=COVERED, terms=COMMON):
    return parts_of(scheme, data(smiles), terms)


def with_numbers(parts, values):
    """The labelled assignment with the numbers of its parameters, on top of the van der Waals of the background.

    Impropers without a rule are no sites, as everywhere but in a comparison.
    """
    behind, labelled = parts.background.assignment, parts.labelled
    sites, tables, first = dict(behind.sites), dict(behind.tables), 0
    for section in parts.bases:
        own = labelled.sites[section]
        chosen = own.rule_idxs >= 0
        sites[section] = dataclasses.replace(
            own, **{name: getattr(own, name)[chosen] for name in ("atom_idxs", "molecule_idxs", "rule_idxs")}
        )
        table = labelled.tables[section]
        columns = dict(table.columns)
        for name in ("k", "length", "angle"):
            if name in columns:
                n = len(columns[name].values)
                columns[name] = dataclasses.replace(columns[name], values=values[first : first + n])
                first += n
        tables[section] = dataclasses.replace(table, columns=columns)
    return dataclasses.replace(behind, sites=sites, tables=tables)
