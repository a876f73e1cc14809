"""The controlled comparison: same data, same terms, same solver, only the sharing changes.

Every scheme is fitted to four fifths of the molecules and tested on the rest, five times over, with what a fit needs to
be told (prior strength, prior width of barriers, strength of soft ties) chosen inside the training folds. Besides, each
is fitted to all molecules, to count what the data identify.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

import numpy as np

from ffshare.assign import load_scheme
from ffshare.errors import InputError
from ffshare.fit.comparison.choice import Candidates
from ffshare.fit.comparison.contest import WHOLE, Contest, FoldScores, Task, WholeScores
from ffshare.fit.comparison.contestants import SCHEMES, Contestant, contestants
from ffshare.fit.comparison.scores import Comparison, SchemeScores, summarised
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.sums import SiteSums
from ffshare.fit.comparison.terms import TermsOf
from ffshare.fit.comparison.values import slot_values
from ffshare.fit.evaluate import REFERENCE_CHARGES
from ffshare.fit.folds import constitution, folds
from ffshare.fit.guesses import MinimumHessian
from ffshare.fit.problem import Background
from ffshare.fit.reference import ReferenceData, reference_charges
from ffshare.fit.shared_folder import SharedFolder, shared
from ffshare.fit.weights import Weights
from ffshare.folder_lock import locked
from ffshare.parallel import HERE, Engine
from ffshare.records import doc, record

BACKGROUND = "openff-2.2.1"


@record
class ComparisonSettings:
    """How to compare."""

    terms: TermsOf = doc("which terms are fitted", default_factory=TermsOf)
    weights: Weights = doc("errors allowed", default_factory=Weights)
    candidates: Candidates = doc("what is tried inside the training folds", default_factory=Candidates)
    charges: str = doc("charges of the background, see `ffshare.model.charges_by_name`", default=REFERENCE_CHARGES)
    n_folds: int = doc("folds by molecule", default=5)
    n_draws: int = doc("how often a control that shares at random is drawn", default=5)
    seed: int = doc("of the folds and of the bootstrap", default=1)
    n_bootstrap: int = doc("draws of molecules for intervals", default=2000)


def compare(
    reference: ReferenceData,
    schemes: Sequence[str] = SCHEMES,
    settings: ComparisonSettings | None = None,
    *,
    hessians: Mapping[str, MinimumHessian] | None = None,
    engine: Engine = HERE,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare schemes on equal terms.

    Args:
        reference: The data.
        schemes: Schemes by name; see `ffshare.fit.comparison.contestants`.
        settings: How to compare.
        hessians: Hessians by mapped SMILES, for prior means; without one a molecule is guessed by elements.
        engine: Where sums and fits are made. Molecules are labelled here for the sums, and by each worker for its fits.
        folder: Where finished fits (`fits`) and the sums over the data (`sums`) are kept, so that a comparison that was
            ended goes on there; None: the sums lie in a temporary folder, which goes at the end. The workers of a
            scheduler must share it.
        progress: Called with the number of fits done and of all.

    Returns:
        Parameters and errors of each scheme.

    Raises:
        InputError: There are too few molecules, or no scheme.
        SchemeError: There is no such scheme, or it cannot take part.
        OutputError: Another comparison is under way in the folder, or a worker does not see it.
    """
    choices = ComparisonSettings() if settings is None else settings
    if not schemes:
        raise InputError("name one scheme or more to compare")
    batch = reference.batch()
    splits = folds([constitution(molecule) for molecule in batch.molecules], choices.n_folds, choices.seed)
    taking_part = contestants(schemes, batch, choices.n_draws)
    sites = CommonSites.of(batch)
    behind = load_scheme(BACKGROUND).assign(batch)
    charges = reference_charges(reference.molecules) if choices.charges == REFERENCE_CHARGES else choices.charges
    labelled = [choices.terms.labelled(each.load().assign(batch), sites) for each in taking_part]
    bases = choices.terms.bases(labelled)
    values = slot_values(sites, bases, reference.molecules, hessians)
    with _places(None if folder is None else Path(folder), engine) as places:
        sums = SiteSums.of(
            labelled[0],
            bases,
            reference.molecules,
            Background(assignment=behind, charges=charges, sections=("vdW", "Electrostatics")),
            choices.weights,
            places.sums,
            engine,
        )
        contest = Contest(
            terms=choices.terms,
            sites=sites,
            bases=bases,
            sums=sums,
            values=values,
            folds=splits,
            candidates=choices.candidates,
            folder=places.fits,
            mark=_mark(sums, values.guess, values.table, choices),
            place=places.whole,
        )
        tasks = [Task(contestant=each, fold=fold) for each in taking_part for fold in (WHOLE, *range(len(splits)))]
        found: list[FoldScores | WholeScores] = []
        # Closed before the sums go: no worker is left to miss them.
        with closing(engine.map(contest, tasks)) as results:
            for scores in results:
                found.append(scores)
                if progress is not None:
                    progress(len(found), len(tasks))
        of_table = sums.errors(values.table)
    return summarised(
        terms=str(choices.terms),
        schemes=_gathered(taking_part, tasks, found),
        table=of_table,
        reference=reference,
        n_bootstrap=choices.n_bootstrap,
        seed=choices.seed,
        n_hessians=sum(molecule.smiles in (hessians or {}) for molecule in reference.molecules),
    )


class _Places(NamedTuple):
    """Where a comparison keeps what it has done."""

    fits: Path | None
    """Finished fits; None: nowhere."""
    sums: Path
    """Sums over the data."""
    whole: SharedFolder
    """The folder of both."""


@contextmanager
def _places(folder: Path | None, engine: Engine) -> Iterator[_Places]:
    """Places in a folder, or without one a place for the sums that goes when the block ends, with an error or not."""
    if folder is None:
        with TemporaryDirectory(prefix="ffshare-sums-") as temporary, shared(Path(temporary), engine) as whole:
            yield _Places(None, whole.path, whole)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), shared(folder, engine) as whole:
        fits, sums = whole.path / "fits", whole.path / "sums"
        for each in (fits, sums):
            each.mkdir(exist_ok=True)
        yield _Places(fits, sums, whole)


def _gathered(
    taking_part: Sequence[Contestant], tasks: Sequence[Task], found: Sequence[FoldScores | WholeScores]
) -> list[SchemeScores]:
    """The scores of each contestant, draws of one control side by side."""
    gathered = []
    for contestant in taking_part:
        mine = [scores for task, scores in zip(tasks, found, strict=True) if task.contestant is contestant]
        whole, *of_folds = mine
        gathered.append(
            SchemeScores(
                group=contestant.group,
                scheme=contestant.scheme,
                whole=cast("WholeScores", whole),
                folds=tuple(cast("FoldScores", each) for each in of_folds),
            )
        )
    return gathered


def _mark(sums: SiteSums, guess: np.ndarray, table: np.ndarray, settings: ComparisonSettings) -> str:
    """A checksum of all that the scores of a task depend on, but for the task."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([asdict(settings.weights), settings.n_folds, settings.seed]).encode())
    for array in (guess, table):
        digest.update(np.ascontiguousarray(array).tobytes())
    for each in chain(sums.energies.molecules, sums.forces.molecules):
        digest.update(each.matrix.tobytes())
        digest.update(each.vector.tobytes())
    return digest.hexdigest()
