"""Schemes by name: ways to hand shared parameters to sites, all with one contract."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ffshare.assign.atom_types.lookup import ANTECHAMBER, CANONICAL
from ffshare.assign.atom_types.scheme import AtomTypedScheme
from ffshare.assign.contract import Scheme
from ffshare.assign.controls.names import KINDS, is_control, parse_control
from ffshare.assign.fitted import FittedScheme
from ffshare.assign.mmff import MmffScheme
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.data_files import data_directory
from ffshare.errors import SchemeError
from ffshare.rules import Mode, force_field_exists, is_atom_typed, load_force_field
from ffshare.rules.value_table import is_value_table


def _atom_typed(name: str) -> AtomTypedScheme:
    folder, mode = _ATOM_TYPED[name]
    return AtomTypedScheme.load(name, data_directory("rules") / folder, mode)


# Folder of ffshare's rules and mode of each atom-typed force field.
_ATOM_TYPED: Mapping[str, tuple[str, str]] = {
    "gaff": ("gaff", CANONICAL),
    "gaff2": ("gaff2", CANONICAL),
    "gaff-antechamber": ("gaff", ANTECHAMBER),
    "gaff2-antechamber": ("gaff2", ANTECHAMBER),
    "alkethoh-types": ("alkethoh-types", CANONICAL),
}

# Schemes that are no file, by name.
NAMED: Mapping[str, Callable[[], Scheme]] = {
    **{name: partial(_atom_typed, name) for name in _ATOM_TYPED},
    "mmff94": partial(MmffScheme, "mmff94"),
    "mmff94s": partial(MmffScheme, "mmff94s"),
}


def load_scheme(*names: str | Path, mode: Mode = "compat") -> Scheme:
    """The scheme of some names.

    Args:
        *names: One of `NAMED` (``gaff2``, ``mmff94``, …); a control (``untied``, ``hashed:gaff2``, see
            `ffshare.assign.controls`); a folder of an atom-typed force field; a .csv table of fitted values
            (see `ffshare.rules.value_table`); or SMIRNOFF rules: an installed force
            field (``openff-2.3.0``), one that ships with ffshare (``alkethoh-smirks``), or the path of an .offxml or
            .toml file. Of several SMIRNOFF rules, the later ones are appended, so that they win.
        mode: Of SMIRNOFF rules: ``compat``: as openff-toolkit does; ``spec``: as the SMIRNOFF specification says.

    Returns:
        The scheme, compiled.

    Raises:
        SchemeError: No scheme has that name, or other schemes than SMIRNOFF rules are to be appended.
        RuleFileError: A file has faults; all of them are listed.

    Example:
        >>> load_scheme("openff-2.2.1").name, load_scheme("gaff2").name
        ('openff-2.2.1', 'gaff2')
    """
    texts = [str(name) for name in names]
    alone = [text for text in texts if text in NAMED or is_control(text) or is_atom_typed(text) or is_value_table(text)]
    if alone and len(texts) > 1:
        raise SchemeError(f"only SMIRNOFF rules can be appended to others; name {', '.join(alone)} alone")
    if not alone:
        _refuse_misspelled(texts)
        return SmirnoffScheme(load_force_field(*texts, mode=mode))
    (name,) = alone
    if name in NAMED:
        return NAMED[name]()
    if is_value_table(name):
        return FittedScheme.load(name, lambda base: load_scheme(base, mode=mode))
    if is_control(name):
        return parse_control(name, lambda base: load_scheme(base, mode=mode))
    return AtomTypedScheme.load(name, name)


def _refuse_misspelled(names: Sequence[str]) -> None:
    """Refuse a name that is no file and no force field, but almost that of another scheme."""
    lower = {known.lower(): known for known in (*NAMED, *KINDS)}
    for name in names:
        close = difflib.get_close_matches(name.lower().partition(":")[0], lower, n=2, cutoff=0.75)
        if close and not force_field_exists(name):
            raise SchemeError(f"no scheme is called {name!r}; did you mean {' or '.join(lower[one] for one in close)}?")
