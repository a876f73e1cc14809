"""From reference data to errors, one chunk at a time: the work that `evaluate` hands to an engine."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from ffshare.assign import Scheme
from ffshare.cli.labelling import interruptible
from ffshare.errors import MissingDependencyError
from ffshare.fit import ReferenceMolecule, read_reference
from ffshare.fit.evaluate import ErrorSums, MoleculeErrors
from ffshare.fit.evaluate import evaluate as errors_of
from ffshare.fit.reference import KINDS, Checker, RawRecord, canonical_smiles, chunked_records, stream_records
from ffshare.fit.reference.data import only_level
from ffshare.molecules import Failure
from ffshare.parallel import Engine, one_thread
from ffshare.records import doc, record

Item = TypeVar("Item", bound=RawRecord | ReferenceMolecule | Failure)


@record
class EvaluatedChunk:
    """What became of one chunk of reference data."""

    rows: tuple[dict[str, Any], ...] = doc("a row a molecule, with the columns of the table")
    energies: tuple[ErrorSums, ...] = doc("errors of the energies of each molecule")
    forces: tuple[ErrorSums, ...] = doc("errors of the forces of each molecule")
    levels: tuple[str, ...] = doc("levels of theory of the molecules")
    failures: tuple[Failure, ...] = doc("records that could not be used")


@record
class Evaluator:
    """Computes the errors of a scheme on a chunk of reference data. Picklable."""

    scheme: Scheme = doc("the scheme")
    charges: str = doc("method for charges, or `none`")

    def __call__(self, items: Sequence[ReferenceMolecule | Failure]) -> EvaluatedChunk:
        """The errors on some molecules."""
        molecules = [item for item in items if not isinstance(item, Failure)]
        try:
            with one_thread():
                found = errors_of(self.scheme, molecules, None if self.charges == "none" else self.charges)
        except MissingDependencyError as error:
            raise MissingDependencyError(
                f"{error}; or take charges that need nothing more but are rough: --charges gasteiger"
            ) from error
        return EvaluatedChunk(
            rows=tuple(map(_row, found)),
            energies=tuple(one.energies for one in found),
            forces=tuple(one.forces for one in found),
            levels=tuple(dict.fromkeys(molecule.level for molecule in molecules)),
            failures=tuple(item for item in items if isinstance(item, Failure)),
        )


@record
class RecordEvaluator:
    """Makes molecules of a chunk of raw records, and computes the errors of a scheme on them. Picklable."""

    checker: Checker = doc("makes the molecules")
    evaluator: Evaluator = doc("computes the errors")

    def __call__(self, records: Sequence[RawRecord | Failure]) -> EvaluatedChunk:
        """The errors on the molecules of some records."""
        checked = self.checker(records)
        failures = [failure for each in checked for failure in each.failures]
        return self.evaluator([*failures, *(each.molecule for each in checked if each.molecule is not None)])


def evaluated(
    evaluator: Evaluator, inputs: Sequence[str], engine: Engine, options: Mapping[str, Any]
) -> Generator[EvaluatedChunk, None, None]:
    """The errors on some molecules at a time.

    Tables hold a molecule a row, and are checked and evaluated as they are read; records of other formats may be single
    conformers, which only say something of energies once they are joined.

    Args:
        evaluator: Computes the errors.
        inputs: Files and folders of reference data.
        engine: Where the work is done.
        options: Further arguments of `ffshare.fit.read_reference`.

    Returns:
        An iterator over chunks, in the order of the data; to be closed where work may raise.

    Raises:
        InputError: The data cannot be used, are of several levels of theory, or lack the charges that are asked for.
        MissingDependencyError: A format or the method for charges needs a package that is not installed.
    """
    tables = tuple(suffix for suffix, kind in KINDS.items() if kind == "arrow")
    if options["kind"] == "arrow" or all(path.lower().endswith(tables) for path in inputs):
        work = RecordEvaluator(checker=Checker(level=options["level"]), evaluator=evaluator)
        yield from _mapped(engine, work, stream_records(*inputs, **options))
    else:
        data = read_reference(*inputs, **options, engine=engine)
        items: list[ReferenceMolecule | Failure] = [*data.failures, *data.molecules]
        yield from _mapped(engine, evaluator, items)


def _mapped(
    engine: Engine, work: Callable[[Sequence[Item]], EvaluatedChunk], items: Iterable[Item]
) -> Generator[EvaluatedChunk, None, None]:
    """Results for some items at a time, all of one level of theory."""
    levels: list[str] = []
    with closing(interruptible(chunked_records(items), engine)) as source, closing(engine.map(work, source)) as chunks:
        for chunk in chunks:
            levels = [only_level([*levels, *chunk.levels])] if chunk.levels else levels
            yield chunk


def _row(one: MoleculeErrors) -> dict[str, Any]:
    return {
        "molecule": canonical_smiles(one.smiles),
        "smiles": one.smiles,
        "n_conformers": one.n_conformers,
        "n_energies": one.energies.count,
        "energy_rmse": one.energies.rmse,
        "energy_mae": one.energies.mae,
        "energy_reference_rms": one.energies.reference_rms,
        "n_forces": one.forces.count,
        "force_rmse": one.forces.rmse,
        "force_mae": one.forces.mae,
        "force_reference_rms": one.forces.reference_rms,
        "skipped": one.skipped,
    }
