"""What a fit is made from: the scheme, the reference data, and the checksums by which a later run knows them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ffshare.assign import Scheme, load_scheme
from ffshare.assign.controls.names import is_control
from ffshare.data_files import checksum, data_directory
from ffshare.errors import InputError
from ffshare.fit.reference import ReferenceData, read_reference
from ffshare.fit.run.settings import RunSettings
from ffshare.parallel import HERE, Engine
from ffshare.records import doc, record

_SHIPPED = "reference"


@record
class RunInputs:
    """The scheme of a fit and where its reference data are."""

    settings: RunSettings = doc("what the fit is told")
    scheme: Scheme = doc("the force field that is fitted")
    files: tuple[Path, ...] = doc("files and folders of reference data")
    checksums: Mapping[str, str] = doc("of every file of force field and reference data, by path")

    @classmethod
    def of(cls, settings: RunSettings, base: str | Path = "") -> "RunInputs":
        """The inputs that settings name.

        Args:
            settings: The settings.
            base: Folder that their paths count from.

        Returns:
            The inputs; the reference data are not read yet.

        Raises:
            SchemeError: There is no such scheme.
            InputError: There is no such file of reference data.
        """
        scheme = load_scheme(*(_scheme_name(name, Path(base)) for name in settings.scheme), mode=settings.mode)
        files = tuple(reference_path(name, base) for name in settings.reference.files)
        checksums = {str(path): checksum(path) for path in _all_files(files)}
        return cls(settings=settings, scheme=scheme, files=files, checksums={**scheme.checksums, **checksums})

    def read(self, engine: Engine = HERE) -> ReferenceData:
        """The reference data; the first molecules of them where the settings say so.

        Args:
            engine: Where they are checked.

        Returns:
            The data, with what could not be used.

        Raises:
            InputError: The data cannot be used, or hold no molecule.
        """
        options = self.settings.reference.model_dump(exclude={"files", "most_molecules"})
        data = read_reference(*self.files, **options, engine=engine)
        most = self.settings.reference.most_molecules
        if not data.molecules:
            first = f"; the first failure: {data.failures[0].reason}" if data.failures else ""
            raise InputError(f"no molecule in {', '.join(map(str, self.files))} can be used{first}")
        return ReferenceData(
            molecules=data.molecules[:most], level=data.level, source=data.source, failures=data.failures
        )


def reference_path(name: str, base: str | Path = "") -> Path:
    """The file or folder of reference data.

    Args:
        name: A path, or the name of data that ship with ffshare.
        base: Folder that paths count from.

    Returns:
        An existing path. A path comes before shipped data of that name.

    Raises:
        InputError: There is none; the shipped data are listed.

    Example:
        >>> reference_path("gfn2").name
        'gfn2.parquet'
    """
    path = Path(base) / name
    if path.exists():
        return path
    shipped = data_directory(_SHIPPED) / f"{name}.parquet"
    if name in _shipped():
        return shipped
    raise InputError(f"reference data {path}: no such file or folder; data that ship are {', '.join(_shipped())}")


def _shipped() -> Sequence[str]:
    """Names of the data that ship, without the Hessians, which are no energies."""
    names = sorted(path.stem for path in data_directory(_SHIPPED).glob("*.parquet"))
    return [name for name in names if not name.endswith("-hessians")]


def _scheme_name(name: str, base: Path) -> str:
    """The name of a scheme, its path counted from a folder where there is one."""
    if is_control(name) and ":" in name:
        kind, _, rest = name.partition(":")
        behind, question, numbers = rest.partition("?")
        return f"{kind}:{_scheme_name(behind, base)}{question}{numbers}"
    return str(base / name) if (base / name).exists() else name


def _all_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for folder, subfolders, names in os.walk(path):
                subfolders.sort()
                yield from (Path(folder, name) for name in sorted(names))
        else:
            yield path
