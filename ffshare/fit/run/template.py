"""The commented settings file: every setting with its meaning and default, written from the settings themselves."""

import json
import math
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ffshare.fit.run.settings import RunSettings
from ffshare.fit.run.settings_file import inner_model

_WIDTH = 110
_HEAD = """\
Settings of a fit. Run it with: ffshare fit {name}
Each setting stands here with its default and may be left out. Paths count from the folder of this file."""


def settings_text(name: str = "run.yaml", settings: RunSettings | None = None) -> str:
    """A settings file with comments.

    Args:
        name: Its name, for the comment at its top.
        settings: What it sets; by default the defaults.

    Returns:
        YAML.

    Example:
        >>> lines = settings_text().splitlines()
        >>> lines[0], lines[-1]
        ('# Settings of a fit. Run it with: ffshare fit run.yaml', 'output: fit')
    """
    lines = [f"# {line}" for line in _HEAD.format(name=name).splitlines()]
    given = RunSettings() if settings is None else settings
    for key, field in RunSettings.model_fields.items():
        lines += ["", *_lines(key, field, getattr(given, key), 0)]
    return "\n".join(lines) + "\n"


def _lines(key: str, field: FieldInfo, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    text = field.description or ""
    choices = _choices(field.annotation)
    if choices and not all(f"{choice}" in text for choice in choices):
        text += f" One of {', '.join(choices)}."
    yield from (f"{indent}# {line}" for line in textwrap.wrap(text, _WIDTH - len(indent), break_on_hyphens=False))
    model = inner_model(field.annotation)
    if model is None:
        yield f"{indent}{key}: {_yaml(value)}"
        return
    yield f"{indent}{key}:"
    yield from _inner(model, value, depth + 1)


def _inner(model: type[BaseModel], value: BaseModel, depth: int) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield from _lines(key, field, getattr(value, key), depth)


def _choices(annotation: Any) -> list[str]:
    """The texts that a setting may have, where they are few."""
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for each in get_args(annotation) for choice in _choices(each)]


def _yaml(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, tuple):
        # One is written alone, which is how most are.
        return _yaml(value[0]) if len(value) == 1 else f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):
        # YAML 1.1 takes 1e-12 for a text.
        shown = ".inf" if math.isinf(value) else repr(value)
        return shown.replace("e", ".0e") if "e" in shown and "." not in shown else shown
    if isinstance(value, str):
        is_plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./+-]*", value) and yaml.safe_load(value) == value
        return value if is_plain else json.dumps(value)
    return json.dumps(value)
