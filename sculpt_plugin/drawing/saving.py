"""A picture becomes a file: PNG or SVG by its suffix."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculpt_plugin import store
from sculpt_plugin.drawing.page import clean_style
from sculpt_plugin.errors import CheckpointError, PlotError

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

_SUFFIXES = (".png", ".svg")


def save(
    picture: "matplotlib.axes.Axes | matplotlib.figure.Figure", path: str | Path
) -> None:
    """Write a picture to a file, as PNG or SVG by the file's suffix.

    The page is white. Text in an SVG stays text, which can be searched and edited.
    Equal pictures are equal files, to the byte. Where a new one cannot be written
    whole, the old one stays.

    Args:
        picture: Axes that a function of this module returned, or a figure.
        path: Where to write; the folder must exist.

    Raises:
        PlotError: The suffix is neither `.png` nor `.svg`, the file cannot be
            written, or matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise PlotError(
            f"A picture's file must end in .png or .svg, got '{path.name}': rename it."
        )
    with clean_style(), warnings.catch_warnings():
        # Axes may sit in a subfigure, which cannot be saved alone.
        figure: Any = picture.figure
        figure = figure.figure
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        # A name in letters that the font lacks is boxes in a PNG, and no more can be
        # done; in an SVG it is text, for which the reader has fonts.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing", UserWarning)
        content = BytesIO()
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
    try:
        store.write_bytes(path, content.getvalue())
    except CheckpointError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        raise PlotError(
            f"The picture '{path}' cannot be written ({reason}): make room, or choose "
            "a folder that exists and that you may write to."
        ) from error
