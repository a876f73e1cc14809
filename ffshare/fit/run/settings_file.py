"""Settings files: YAML, read with every fault at once, each with its line, its key and what is expected there."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ffshare.errors import Fault, InputError
from ffshare.fit.run.settings import RunSettings

Place = tuple[str | int, ...]
"""Keys, and positions in lists, from the top of the file."""


def read_settings(path: str | Path) -> RunSettings:
    """The settings of a file.

    Args:
        path: A YAML file, as `ffshare.fit.settings_text` gives one; what it leaves out has its default.

    Returns:
        The settings.

    Raises:
        InputError: The file cannot be read, is no YAML, or has faults; all are listed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8 text; expected a YAML file such as `ffshare init` writes") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read: {reason}; `ffshare init {path}` writes a new one") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, path: str) -> RunSettings:
    r"""The settings of a text.

    Args:
        text: YAML.
        path: What messages name.

    Returns:
        The settings.

    Raises:
        InputError: As for `read_settings`.

    Example:
        >>> parse_settings("scheme: gaff2\nweights: {force: 2.5}", "run.yaml").weights.force
        2.5
        >>> parse_settings("sceme: gaff2", "run.yaml")
        Traceback (most recent call last):
        ffshare.errors.InputError: run.yaml: line 1: sceme: there is no such setting; did you mean scheme?
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise InputError(f"{path}: expected settings such as `scheme: openff-2.2.1`; `ffshare init` writes all of them")
    lines = {} if tree is None else dict(_lines(tree))
    faults = [] if tree is None else list(_repeated(tree))
    settings = None
    try:
        settings = RunSettings.model_validate(given)
    except ValidationError as error:
        faults += [_fault(each, lines) for each in error.errors()]
    if faults or settings is None:
        count = [f"{path}: {len(faults)} faults"] if len(faults) > 1 else []
        first = "" if count else f"{path}: "
        in_order = sorted(faults, key=lambda fault: fault.line or 0)
        raise InputError("\n  ".join([*count, *(f"{first}{each}" for each in in_order)]))
    return settings


def _lines(node: yaml.Node, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Lines of all keys and entries of lists."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*place, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*place, number), value.start_mark.line + 1
            yield from _lines(value, (*place, number))


def _repeated(node: yaml.Node) -> Iterator[Fault]:
    """Keys that stand twice, of which YAML would take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                yield Fault(f"{key.value}: stands in line {seen[key.value]} already; expected once", line)
            seen.setdefault(key.value, line)
            yield from _repeated(value)


def _fault(error: ErrorDetails, lines: Mapping[Place, int]) -> Fault:
    place: Place = tuple(error["loc"])
    # `reference: gfn2` is `reference.files`, which then has no line of its own.
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    name = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        return Fault(f"{name}: there is no such setting; {_nearest(place)}", line)
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected").replace("Input", "it")
    if error["type"] in ("model_type", "model_attributes_type"):
        message = "expected settings, indented below it"
    if error["type"] == "tuple_type":
        message = "expected one entry or a list [a, b]"
    return Fault(f"{name}: is {_shown(error['input'])}; {message}", line)


def _shown(value: Any) -> str:
    shown = "empty" if value is None else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _nearest(place: Place) -> str:
    """The settings that have about the same name, wherever they belong; else those that stand where it does."""
    names = dict(_names(RunSettings))
    last = str(place[-1])
    here = [name for name in names if name[:-1] == place[:-1]]
    for known in (here, list(names)):
        keys = [name[-1] for name in known]
        close = difflib.get_close_matches(last, keys, n=2, cutoff=0.7)
        found = [".".join(name) for name in known if name[-1] in close]
        if found:
            return f"did you mean {' or '.join(found)}?"
    where = f" in {'.'.join(map(str, place[:-1]))}" if len(place) > 1 else ""
    return f"settings{where} are {', '.join(name[-1] for name in here)}"


def _names(
    model: type[BaseModel], above: Sequence[str] = ()
) -> Iterator[tuple[tuple[str, ...], type[BaseModel] | None]]:
    """All settings with their names from the top, and what those that hold settings are."""
    for name, field in model.model_fields.items():
        inner = inner_model(field.annotation)
        yield (*above, name), inner
        if inner is not None:
            yield from _names(inner, (*above, name))


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model of a setting that holds settings, else None.

    Args:
        annotation: Type of the setting.
    """
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
