"""What a layer is called on a page."""

from sculpt_plugin.exporting.spelling import spelled


def called(name: str) -> str:
    r"""Call a layer by its name, which in a chain of layers may be a mere number.

    Args:
        name: Its name in the model, which is whatever a file says.

    Returns:
        The name, with all that cannot be seen spelled out.

    Example:
        >>> called("0"), called("encoder.fc1"), called("a\n")
        ('layer 0', 'encoder.fc1', 'a\\n')
    """
    return spelled(f"layer {name}" if name[:1].isdigit() else name)
