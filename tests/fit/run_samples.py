"""A few molecules of the reference data that ship, and runs of fits to them."""

from functools import cache

from ffshare.fit import ReferenceData, RunInputs, RunSettings, read_reference, reference_path, run_fit, write_reference
from ffshare.parallel import HERE


@cache
def some_molecules(n=36):
    """The first molecules of the data, more than are worked on at once."""
    data = read_reference(reference_path("gfn2"))
    return ReferenceData(molecules=data.molecules[:n], level=data.level)


def write_data(path, n=36, more=()):
    """Writes them to a file, and other molecules after them."""
    data = some_molecules(n)
    write_reference(ReferenceData(molecules=(*data.molecules, *more), level=data.level), path)
    return path


def run_of(path, scheme="openff-2.2.1", folder=None, engine=HERE, **settings):
    """A fit to a file of data."""
    told = RunSettings(scheme=scheme, reference=str(path), **({"charges": "gasteiger"} | settings))
    return run_fit(RunInputs.of(told), folder, engine=engine)
