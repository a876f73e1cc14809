"""Text from files and from the command line, made fit for a terminal."""


def printable(text: str) -> str:
    r"""A text in which nothing but line ends controls the terminal.

    Names in files may hold escape sequences, which would colour or move what a terminal shows.

    Args:
        text: Any text.

    Returns:
        The text with escapes such as ``\x1b`` in place of characters that do not print.

    Example:
        >>> print(printable("\x1b[31mred\n[red]"))
        \x1b[31mred
        [red]
    """
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
