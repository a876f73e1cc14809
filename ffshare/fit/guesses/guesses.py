"""What a fit may start from: a value for each bond, angle and torsion, before any data."""

from dataclasses import fields

import numpy as np

from ffshare.model.coordinates import FloatArray
from ffshare.records import doc, freeze_arrays, record


@record
class Guesses:
    """Guessed values site by site, in the convention E = k/2 (x - x0)²; NaN: not known.

    Barriers are those of k (1 + cos nφ), phase 0, so their sign tells minimum from maximum. The guess of a proper is
    the same for every periodicity n. A source that knows nothing of torsions leaves their fields None.
    """

    bond_k: FloatArray = doc("force constants of bonds [kcal/mol/Å²], shape=(n_bonds,)")
    bond_length: FloatArray = doc("rest lengths [Å], shape=(n_bonds,)")
    angle_k: FloatArray = doc("force constants of angles [kcal/mol/rad²], shape=(n_angles,)")
    angle: FloatArray = doc("rest angles [rad], shape=(n_angles,)")
    proper_k: FloatArray | None = doc("barriers of propers [kcal/mol], shape=(n_propers,)", default=None)
    improper_k: FloatArray | None = doc("barriers of impropers, n = 2 [kcal/mol], shape=(n_impropers,)", default=None)

    def __post_init__(self) -> None:
        freeze_arrays(self, **{name: np.float64 for name in _NAMES if getattr(self, name) is not None})
        for k, rest in (("bond_k", "bond_length"), ("angle_k", "angle")):
            shapes = getattr(self, k).shape, getattr(self, rest).shape
            if shapes[0] != shapes[1] or len(shapes[0]) != 1:
                raise ValueError(f"guesses: {k} and {rest} have shapes {shapes[0]} and {shapes[1]}")


_NAMES = tuple(field.name for field in fields(Guesses))


def first_known(guesses: Guesses, fallback: Guesses) -> Guesses:
    """Guesses with what they do not know taken from others of the same sites.

    Args:
        guesses: The better ones, NaN or None where they know nothing.
        fallback: The others.

    Returns:
        For each value the first that is known.

    Raises:
        ValueError: The two are not of equally many sites.

    Example:
        >>> known = dict(bond_length=[1.5], angle_k=[], angle=[])
        >>> first_known(Guesses(bond_k=[np.nan], **known), Guesses(bond_k=[600.0], **known)).bond_k
        array([600.])
    """
    chosen: dict[str, FloatArray | None] = {}
    for name in _NAMES:
        first, second = getattr(guesses, name), getattr(fallback, name)
        if first is not None and second is not None:
            if first.shape != second.shape:
                raise ValueError(f"guesses and fallback have {len(first)} and {len(second)} values of {name}")
            chosen[name] = np.where(np.isnan(first), second, first)
        else:
            chosen[name] = second if first is None else first
    return Guesses(**chosen)  # type: ignore[arg-type]
