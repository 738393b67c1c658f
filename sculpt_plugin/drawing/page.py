"""The white page a picture is drawn on, whatever the user's own plot settings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sculpt_plugin.errors import PlotError

if TYPE_CHECKING:
    import matplotlib.axes

BLACK, WHITE, GREY, INK = "#000000", "#ffffff", "#6b6b6b", "#222222"
LETTER = 0.072  # inches that a letter of 8 points takes, with air

_SETTINGS: dict[Any, Any] = {
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), WHITE),
    "axes.edgecolor": GREY,
    "axes.labelsize": 9,
    # The second is for whoever shows an SVG without having the first.
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 8,
    "legend.fontsize": 8,
    # Text in an SVG stays text, and equal pictures are equal files.
    "svg.fonttype": "none",
    "svg.hashsalt": "sculpt",
    # Names come from files: a dollar sign in one is a dollar sign.
    "text.parse_math": False,
}


class Page(NamedTuple):
    """Axes in inches, and how many real inches an inch of theirs has, at most 1."""

    ax: "matplotlib.axes.Axes"
    scale: float


def check_installed() -> None:
    """Refuse, before long work, what would end without a picture.

    Raises:
        PlotError: matplotlib is not installed.

    Example:
        >>> check_installed()
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise PlotError(
            "Pictures need matplotlib, which is not installed: "
            'pip install "sculpt_plugin[plot]".'
        ) from error


@contextmanager
def clean_style() -> Iterator[None]:
    """Hold our plot settings for a while and give the user's own back after.

    Raises:
        PlotError: matplotlib is not installed.
    """
    check_installed()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


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
    _lay_paper(ax)
    room = ax.get_window_extent()
    dots = ax.figure.dpi
    return Page(ax, min(1.0, room.width / wide / dots, room.height / high / dots))


def write_note(page: Page, at: tuple[float, float], parts: Sequence[str]) -> None:
    """Write small at the foot of a page what the picture leaves out.

    Args:
        page: The page.
        at: Where the note begins, half way up its letters.
        parts: What to say; empty ones are skipped.
    """
    said = "; ".join(part for part in parts if part)
    if said:
        page.ax.text(
            *at, said, fontsize=7 * page.scale, color=GREY, style="italic", va="center"
        )


def counted(number: int, what: str) -> str:
    """Say a number of things.

    Example:
        >>> counted(1, "unit"), counted(1568, "unit")
        ('1 unit', '1,568 units')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def _lay_paper(ax: "matplotlib.axes.Axes") -> None:
    """Make the page white, on whatever figure it is."""
    from matplotlib.patches import Rectangle

    ax.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=ax.transAxes,
            facecolor=WHITE,
            edgecolor="none",
            zorder=-10,
            gid="paper",
        )
    )
