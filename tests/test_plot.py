"""Pictures show each live unit, edge, module and turn, and leave no trace."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from drawn import network, random_network, two_halves
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure
from small_sweep import hand_made

from sculpt_plugin import plot
from sculpt_plugin.analysis.hierarchy import Hierarchy
from sculpt_plugin.drawing.palette import module_colour
from sculpt_plugin.errors import DataError, SculptError
from sculpt_plugin.pruning.record import Step


def _by_gid(ax: Axes, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def _texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def _steps() -> list[Step]:
    return [
        Step("dense", 0, 0, 8, 8, 1.0, True, 1.0, 1.0),
        Step("units", 1, 2, 6, 8, 1.0, True, 0.7, 1.0),
        Step("units", 2, 4, 4, 8, 0.8, False, 0.4, 1.0),
        Step("edges", 3, 9, 1, 10, 1.0, True, 0.1, 1.0),
    ]


def _draw(what: str, ax: Axes | None) -> Axes:
    graph, found = two_halves()
    if what == "layered":
        return plot.layered(graph, found, ax=ax)
    if what == "hierarchy":
        return plot.hierarchy(found, ax=ax)
    if what == "grid":
        return plot.grid(hand_made(), ax=ax)
    return plot.curve(_steps(), ax=ax, threshold=0.98)


pictures = pytest.mark.parametrize("what", ["layered", "hierarchy", "curve", "grid"])


def test_layered_draws_a_dot_for_each_live_unit_where_it_belongs() -> None:
    graph, found = two_halves()
    (dots,) = _by_gid(plot.layered(graph, found), "units")
    places = np.asarray(dots.get_offsets())
    assert len(places) == (found.label >= 0).sum() == 8
    assert (places[:4, 1] == 0).all()


@pytest.mark.parametrize(("width", "module_count"), [(4, 2), (40, 6), (300, 30)])
def test_layered_draws_a_line_for_each_live_edge_in_few_artists(
    width: int, module_count: int
) -> None:
    graph, found = random_network(width=width, module_count=module_count)
    ax = plot.layered(graph, found)
    lines = [*_by_gid(ax, "edges"), *_by_gid(ax, "skipping edges")]
    source, target = graph.adjacency.nonzero()
    live = (found.label[source] >= 0) & (found.label[target] >= 0)
    assert sum(len(line.get_segments()) for line in lines) == live.sum()
    assert len(ax.collections) <= 4


def test_layered_draws_units_that_are_too_close_for_dots_as_ticks() -> None:
    graph, found = network((900, 2), [(n, 900) for n in range(900)], [0] * 902)
    ax = plot.layered(graph, found)
    (dots,), (ticks,) = _by_gid(ax, "units"), _by_gid(ax, "crowded units")
    assert (len(dots.get_offsets()), len(ticks.get_segments())) == (2, 900)
    heights = {round(float(np.ptp(tick[:, 1])), 9) for tick in ticks.get_segments()}
    assert heights == {0.1}


def test_edges_are_paler_where_more_run_between_two_layers() -> None:
    edges = [(n, 100) for n in range(100)] + [(n, 101) for n in range(100)]
    graph, found = network((100, 2, 1), [*edges, (100, 102)], [0] * 103)
    (lines,) = _by_gid(plot.layered(graph, found), "edges")
    alpha = lines.get_colors()[:, 3]
    assert alpha[:200] == pytest.approx(10 / 200**0.5)
    assert alpha[200] == 0.8


def test_of_very_many_edges_some_are_drawn_and_the_rest_is_counted() -> None:
    edges = np.stack(np.unravel_index(np.arange(22_500), (150, 150)), axis=1)
    graph, found = network((150, 150), edges + np.array([0, 150]), [0] * 300)
    ax = plot.layered(graph, found)
    (lines,) = _by_gid(ax, "edges")
    assert len(lines.get_segments()) == 20_000
    assert "2,500 edges not drawn, evenly chosen" in _texts(ax)
    drawn = {round(float(segment[0, 0]), 6) for segment in lines.get_segments()}
    assert len(drawn) == 150


def test_layered_of_a_dead_network_says_so() -> None:
    graph, _ = network((1, 1), [(0, 1)], [0, 0])
    ax = plot.layered(graph, Hierarchy((), np.array([-1, -1]), {}))
    (note,) = [text for text in ax.texts if "none is alive" in text.get_text()]
    assert note.get_text() == "2 dead units left out; none is alive"
    assert note.get_window_extent().x1 < ax.get_window_extent().x1


def test_colours_that_recur_have_another_outline_and_a_note() -> None:
    graph, found = network((40, 40), [(n, n + 40) for n in range(40)], [*range(40)] * 2)
    ax = plot.layered(graph, found)
    (outlines,) = _by_gid(ax, "modules")
    assert outlines.get_linestyle()[0] != outlines.get_linestyle()[18]
    assert any("colours recur after 18 modules" in text for text in _texts(ax))
    assert any("colours recur" in text for text in _texts(plot.hierarchy(found)))


def test_layered_lines_join_the_dots_of_their_units() -> None:
    graph, found = network((1, 1), [(0, 1)], [0, 0])
    ax = plot.layered(graph, found)
    (dots,), (lines,) = _by_gid(ax, "units"), _by_gid(ax, "edges")
    np.testing.assert_allclose(lines.get_segments()[0], dots.get_offsets())


def test_layered_bends_only_edges_that_jump_a_layer() -> None:
    ax = plot.layered(*two_halves())
    (straight,), (bent,) = _by_gid(ax, "edges"), _by_gid(ax, "skipping edges")
    assert [len(line) for line in straight.get_segments()] == [2] * 6
    assert [len(line) > 2 for line in bent.get_segments()] == [True]


def test_edges_have_the_colour_of_their_module_or_none() -> None:
    graph, found = network((2, 1), [(0, 2), (1, 2)], [0, 1, 0])
    (lines,) = _by_gid(plot.layered(graph, found), "edges")
    between, inside = (to_hex(colour) for colour in lines.get_colors())
    assert inside == module_colour(0)
    assert between not in (module_colour(0), module_colour(1))


def test_a_module_has_the_same_colour_in_every_picture() -> None:
    graph, found = two_halves()
    (outlines,) = _by_gid(plot.layered(graph, found), "modules")
    (node,) = _by_gid(plot.hierarchy(found), "M1")
    assert to_hex(outlines.get_edgecolors()[1]) == module_colour(1)
    assert same_color(node.get_edgecolor(), module_colour(1))


def test_layered_says_how_many_dead_units_are_left_out() -> None:
    assert "1 dead unit left out" in _texts(plot.layered(*two_halves()))


def test_layered_without_dead_units_says_nothing_of_them() -> None:
    texts = _texts(plot.layered(*network((1, 1), [(0, 1)], [0, 0])))
    assert not any("dead" in text for text in texts)


def test_names_of_inputs_follow_their_channels() -> None:
    graph, found = network((2, 1), [(0, 2), (1, 2)], [-1, 0, 0])
    texts = _texts(plot.layered(graph, found, input_names=["age", "sex"]))
    assert "sex" in texts
    assert "age" not in texts


@pytest.mark.parametrize("argument", ["input_names", "output_names"])
def test_too_few_names_are_refused(argument: str) -> None:
    graph, found = two_halves()
    with pytest.raises(DataError, match=rf"{argument} must name .* it has 1"):
        plot.layered(graph, found, **{argument: ["only one"]})


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_names_in_letters_the_font_lacks_are_saved(suffix: str, tmp_path) -> None:
    graph, found = network((2, 1), [(0, 2), (1, 2)], [0, 0, 0])
    ax = plot.layered(graph, found, input_names=["数字", "🙂"])
    plot.save(ax, tmp_path / f"picture.{suffix}")


def test_names_from_files_are_not_read_as_formulas(tmp_path: Path) -> None:
    graph, found = network((1, 1), [(0, 1)], [0, 0])
    ax = plot.layered(graph, found, input_names=[r"$\frac$"])
    plot.save(ax, tmp_path / "picture.svg")
    assert r"$\frac$" in _texts(ax)
    assert not any(text.get_parse_math() for text in ax.texts)


def test_hierarchy_node_says_number_units_and_inputs() -> None:
    _, found = two_halves()
    texts = _texts(plot.hierarchy(found))
    assert texts[:3] == ["M0", "4 units", "in x0, x1"]


def test_hierarchy_draws_an_arrow_for_each_pair_wider_for_more_edges() -> None:
    _, found = network((3, 2), [(0, 3), (1, 3), (1, 4), (2, 3)], [0, 0, 1, 2, 3])
    ax = plot.hierarchy(found)
    (wide,), (thin,) = _by_gid(ax, "M0 to M2"), _by_gid(ax, "M1 to M2")
    assert wide.get_linewidth() > thin.get_linewidth()
    assert len(_by_gid(ax, "M0 to M3")) == 1


def test_hierarchy_without_modules_is_a_page_that_says_so() -> None:
    ax = plot.hierarchy(Hierarchy((), np.zeros(0, dtype=int), {}))
    assert _texts(ax) == ["there are no modules"]


def test_hierarchy_of_very_many_modules_draws_the_largest_and_says_so() -> None:
    label = [0, 0, *range(1, 100), 0]
    _, found = network((101, 1), [(n, 101) for n in range(101)], label)
    texts = _texts(plot.hierarchy(found))
    assert "M0" in texts
    assert "40 of 100 modules, the smallest, not drawn" in " ".join(texts)


def test_a_name_that_is_too_long_for_its_node_is_cut() -> None:
    _, found = network((2, 1), [(0, 2), (1, 2)], [0, 0, 0])
    text = _texts(plot.hierarchy(found, input_names=["long" * 20, "b"]))[2]
    assert "…" in text
    assert text.endswith(", +1")
    assert len(text) <= 20


def test_arrows_over_the_nodes_are_on_the_page() -> None:
    # Two modules that feed each other share a level: the way back leads over them.
    edges = [(0, 2), (1, 3), (2, 5), (3, 4)]
    _, found = network((2, 2, 2), edges, [0, 1, 0, 1, 0, 1])
    ax = plot.hierarchy(found)
    top = ax.get_ylim()[1]
    for gid in ("M0 to M1", "M1 to M0"):
        (arrow,) = _by_gid(ax, gid)
        assert arrow.get_path().get_extents().y1 < top


def test_hierarchy_of_forty_modules_names_all(tmp_path: Path) -> None:
    _, found = random_network(width=60, module_count=40)
    ax = plot.hierarchy(found)
    plot.save(ax, tmp_path / "hierarchy.png")
    assert {f"M{number}" for number in range(40)} <= set(_texts(ax))


def test_curve_tells_accepted_from_rejected_turns() -> None:
    ax = plot.curve(_steps())
    drawn = {line.get_label(): line for line in ax.lines}
    assert np.asarray(drawn["accepted"].get_xdata()).tolist() == [0, 1, 3]
    assert np.asarray(drawn["rejected"].get_xdata()).tolist() == [2]
    assert drawn["accepted"].get_marker() != drawn["rejected"].get_marker()


def test_curve_counts_no_density_that_was_taken_back() -> None:
    ax = plot.curve(_steps())
    (right,) = [other for other in ax.figure.axes if other is not ax]
    staircase = right.lines[0].get_ydata()
    assert np.asarray(staircase).tolist() == [1.0, 0.7, 0.7, 0.1]


def test_curve_draws_the_threshold_only_if_given() -> None:
    plain = [line.get_label() for line in plot.curve(_steps()).lines]
    lines = {
        line.get_label(): line for line in plot.curve(_steps(), threshold=0.98).lines
    }
    assert "threshold" not in plain
    assert np.asarray(lines["threshold"].get_ydata()).tolist() == [0.98, 0.98]


def test_curve_names_its_stages() -> None:
    ax = plot.curve(_steps())
    (right,) = [other for other in ax.figure.axes if other is not ax]
    assert _texts(right)[:3] == ["dense", "units", "edges"]


def test_curve_of_no_turns_is_refused() -> None:
    with pytest.raises(DataError, match="at least one turn"):
        plot.curve([])


@pytest.mark.parametrize("score", [0.5, float("nan")])
def test_curve_of_one_turn_is_drawn(score: float, tmp_path: Path) -> None:
    ax = plot.curve([Step("dense", 0, 0, 8, 8, score, False, 1.0, 1.0)], threshold=0.9)
    plot.save(ax, tmp_path / "curve.png")


@pictures
def test_given_axes_are_drawn_on_and_returned(what: str) -> None:
    ax = Figure().add_subplot()
    assert _draw(what, ax) is ax


@pictures
def test_drawing_leaves_settings_and_pyplot_alone(what: str, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot.save(_draw(what, None), tmp_path / "picture.png")
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


@pictures
@pytest.mark.parametrize("suffix", [".png", ".SVG"])
def test_save_writes_the_format_of_the_suffix(
    what: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"picture{suffix}"
    plot.save(_draw(what, None), path)
    start = b"\x89PNG" if suffix == ".png" else b"<?xml"
    assert path.read_bytes().startswith(start)


def test_save_takes_a_figure_and_writes_equal_files(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        plot.save(_draw("layered", None).figure, tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert one == two


def test_save_refuses_an_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(SculptError, match=r"must end in .png or .svg, got 'plot.gif'"):
        plot.save(_draw("curve", None), tmp_path / "plot.gif")


def test_save_says_that_a_path_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SculptError, match=r"cannot be written .*choose a folder"):
        plot.save(_draw("curve", None), tmp_path / "missing" / "plot.png")


@pictures
def test_missing_matplotlib_is_said_with_the_remedy(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SculptError, match=r'pip install "sculpt_plugin\[plot\]"'):
        _draw(what, None)


def test_importing_plot_does_not_import_matplotlib() -> None:
    code = "import sys, sculpt_plugin.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
