"""Names from model files spelled so that no format and no reader stumbles over them."""

LONGEST = 1000


def spelled(name: str) -> str:
    r"""Spell a name with nothing but letters that can be seen.

    A model file may name its layers as it likes. Control characters and halves of a
    surrogate pair would make a file unreadable, and characters that turn the direction
    of writing make it show what is not there. They are spelled as in a Python string,
    and so is the backslash, so that the name can be told from the spelling:
    `ast.literal_eval` takes it back once it stands between quotes.

    Args:
        name: Any text.

    Returns:
        The name, of which the first 1,000 letters count: each unit repeats it.

    Example:
        >>> print(spelled("encoder.fc1"), spelled("a\x1b[31m\nb"), spelled("\\"))
        encoder.fc1 a\x1b[31m\nb \\
    """
    cut = name[:LONGEST]
    if cut.isprintable() and "\\" not in cut:
        return cut
    return "".join(map(_letter, cut))


def _letter(letter: str) -> str:
    """Spell one letter."""
    if letter.isprintable() and letter != "\\":
        return letter
    # Python's own quoting, which never quotes a quotation mark alone.
    return repr(letter)[1:-1]
