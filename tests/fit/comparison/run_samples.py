"""Small comparisons from end to end."""

import json
from functools import cache

from ffshare.fit import Weights
from ffshare.fit.comparison import Candidates, ComparisonSettings, compare
from tests.fit.comparison.samples import data, hessian_of, reference_of

SMILES = ("CCO", "CC=O", "C/C=C/C", r"C/C=C\C", "COC", "CN", "CC(N)=O", "CC#N", "CCC")
SCHEMES = ("openff-2.2.1", "gaff")
SETTINGS = ComparisonSettings(
    charges="gasteiger",
    weights=Weights(energy=0.7, force=4.0),
    candidates=Candidates(strengths=(1.0, 30.0), barrier_widths=(0.1, 1.0), soft=(1.0, 10.0)),
    n_folds=3,
    n_draws=2,
    n_bootstrap=50,
)


def molecules():
    return data(SMILES, n_conformers=3)


def hessians_of(given):
    return {each.smiles: hessian_of(each, 200.0 + 50.0 * (idx % 3)) for idx, each in enumerate(given)}


def run(given=None, schemes=SCHEMES, settings=SETTINGS, hessians=None, **options):
    return compare(
        reference_of(molecules() if given is None else given), schemes, settings, hessians=hessians, **options
    )


@cache
def plain():
    return run(hessians=hessians_of(molecules()))


def as_json(found):
    return json.dumps(found.to_json(), sort_keys=True)
