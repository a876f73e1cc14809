"""Sums over a stream, rounded alike whoever made its values, in memory that grows with the logarithm of its length."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Value = TypeVar("Value")


def tree_sum(values: Iterable[Value], add: Callable[[Value, Value], Value]) -> Value | None:
    """The sum of a stream, added in pairs, the pairs in pairs, and so on.

    Which values are added to which follows from their places alone, not from when they come or who made them; and the
    error of rounding grows with the logarithm of their number (pairwise summation).

    Args:
        values: The values, in order.
        add: Adds two of them, the earlier one first.

    Returns:
        The sum; None of no values.

    Example:
        >>> tree_sum("abcde", lambda first, second: f"({first}{second})")
        '(((ab)(cd))e)'

    Reference:
        N. J. Higham, The Accuracy of Floating Point Summation, SIAM J. Sci. Comput. 14 (1993) 783.
    """
    # As a binary counter: the sum of 2^k values stands with k, and sums of equal size are added at once.
    sums: list[tuple[int, Value]] = []
    for value in values:
        level = 0
        while sums and sums[-1][0] == level:
            value = add(sums.pop()[1], value)
            level += 1
        sums.append((level, value))
    if not sums:
        return None
    _, total = sums.pop()
    while sums:
        total = add(sums.pop()[1], total)
    return total
