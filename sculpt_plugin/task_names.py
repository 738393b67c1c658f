"""The names of the tasks for shell completion, without loading torch for them."""

DIGIT_TASKS = ("digits-hierarchical", "digits-pair")
_NAMES = (
    "4,2,4",
    "4,1,2,16",
    "6,3,3,3",
    "4,1,4",
    *(f"4,1,2,{count}" for count in (2, 4, 8, 12)),
    *(
        f"{shape},{count}"
        for shape in ("8,2", "7,3,2", "6,3,2", "5,3,2", "4,1,2,2", "8,2,1,2")
        for count in (2, 4, 8, 12, 16)
    ),
    *DIGIT_TASKS,
)


def completed(incomplete: str) -> list[str]:
    """List the tasks whose names begin as typed so far.

    A shell asks at every press of its key, so the answer must come at once.

    Args:
        incomplete: What was typed.

    Returns:
        The names, in the order of `sculpt tasks`.

    Example:
        >>> completed("6,3,3")
        ['6,3,3,3']
    """
    return [name for name in _NAMES if name.startswith(incomplete)]
