"""The white page a picture is drawn on, whatever the user's own plot settings."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from sculpt_plugin.errors import PlotError

if TYPE_CHECKING:
    import matplotlib.axes

BLACK, WHITE, GREY = "#000000", "#ffffff", "#6b6b6b"
LETTER = 0.072  # inches that a letter of 8 points takes, with air


class Page(NamedTuple):
    """Axes in inches, and how many real inches an inch of theirs has, at most 1."""

    ax: "matplotlib.axes.Axes"
    scale: float


def clean_style() -> AbstractContextManager[None]:
    """Hold our plot settings for a while and give the user's own back after.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise PlotError(
            "Pictures need matplotlib, which is not installed: "
            'pip install "sculpt_plugin[plot]".'
        ) from error
    inks = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    return matplotlib.rc_context(
        {
            **dict.fromkeys(inks, "#222222"),
            "axes.edgecolor": GREY,
            "axes.facecolor": WHITE,
            "axes.grid": False,
            "axes.labelsize": 9,
            "figure.facecolor": WHITE,
            "font.family": ["DejaVu Sans"],
            "font.size": 8,
            "legend.fontsize": 8,
            "path.sketch": None,
            "svg.hashsalt": "sculpt",
            # Names come from files: a dollar sign in one is a dollar sign.
            "text.parse_math": False,
            "text.usetex": False,
        }
    )


def open_page(
    ax: "matplotlib.axes.Axes | None",
    *,
    across: tuple[float, float],
    up: tuple[float, float],
) -> Page:
    """Turn axes into a page in inches, on a new figure where none are given.

    Args:
        ax: The user's axes, or None for a figure that fits the page.
        across: Left and right end of the page, in inches.
        up: Bottom and top end.

    Returns:
        The page. On smaller axes its `scale` says by how much to shrink points.
    """
    wide, high = across[1] - across[0], up[1] - up[0]
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(wide, high)).add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    ax.set_xlim(*across)
    ax.set_ylim(*up)
    ax.set_aspect("equal")
    room = ax.get_window_extent()
    dots = ax.figure.dpi
    return Page(ax, min(1.0, room.width / wide / dots, room.height / high / dots))
