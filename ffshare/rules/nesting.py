"""How deep lists and tables of a parsed file stand in one another."""

from typing import Any


def nests_deeper(content: Any, most: int) -> bool:
    """Whether lists and dictionaries nest deeper than some number.

    They are looked at level by level, so that the depth of the content is never a depth of calls.

    Args:
        content: What a parser of JSON or TOML gives.
        most: The number.

    Returns:
        The answer.

    Example:
        >>> nests_deeper({"a": [1, 2]}, 2), nests_deeper({"a": [1, [2]]}, 2)
        (False, True)
    """
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(most):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not level:
            return False
    return bool(level)
