"""Read-only records: what crosses a package border.

A record is a frozen dataclass whose arrays cannot be written to. It is checked once, when it is made, and changed with
`dataclasses.replace`. Each field says what it means, its unit and its shape in its metadata.
"""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

T = TypeVar("T")


def doc(text: str, **kwargs: Any) -> Any:
    """A dataclass field that carries its documentation: meaning, [unit], shape.

    Args:
        text: What the field holds.
        **kwargs: Passed on to `dataclasses.field`.

    Returns:
        The field.
    """
    return dataclasses.field(metadata={"doc": text}, **kwargs)


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False, field_specifiers=(doc,))
def record(cls: type[T]) -> type[T]:
    """Make a class a record: frozen, keyword-only, slotted, compared by identity."""
    return dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)(cls)


def frozen_array(values: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The values as an array that refuses to be written to.

    The data are not copied when they already have the right type: the caller gives its array up.

    Args:
        values: Anything NumPy makes an array of.
        dtype: Type of the result; that of the values by default.

    Returns:
        A read-only array.

    Example:
        >>> frozen_array([1, 2]).flags.writeable
        False
    """
    array = np.asarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def freeze_arrays(instance: Any, **dtypes: DTypeLike) -> None:
    """Give the named fields of a record under construction their type and make them read-only.

    Called from `__post_init__`.

    Args:
        instance: The record.
        **dtypes: Field name to array type.
    """
    for name, dtype in dtypes.items():
        object.__setattr__(instance, name, frozen_array(getattr(instance, name), dtype))
