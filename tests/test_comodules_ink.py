"""The picture of the co-modules shows each pair, group and confidence."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sculpt_plugin import plot
from sculpt_plugin.analysis.consensus import Consensus, SharedGroups, consensus
from sculpt_plugin.analysis.graph import LayeredGraph
from sculpt_plugin.analysis.modules import detect
from sculpt_plugin.drawing.comodules_layout import SMALLEST_ROW, cell_side
from sculpt_plugin.errors import DataError, SculptError


def two_witnesses_of_three() -> Consensus:
    """Two networks keep two halves apart, the third does not."""
    edges = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
    halves = LayeredGraph.from_edges((4, 2, 2), edges)
    edges = [(0, 4), (1, 4), (2, 4), (3, 4), (4, 5), (4, 6)]
    whole = LayeredGraph.from_edges((4, 1, 2), edges)
    return consensus([(graph, detect(graph)) for graph in (halves, whole, halves)])


def many(unit_count: int, *, dead: float = 0.0) -> Consensus:
    """Three groups of many units, some dead in some of the four witnesses."""
    chance = np.random.default_rng(3)
    label = np.arange(unit_count) % 3
    votes = np.where(chance.random((4, unit_count)) < dead, -1, label)
    label = np.where((votes < 0).sum(axis=0) > 2, -1, label)
    end = SharedGroups(
        np.arange(unit_count), votes, label, np.linspace(0, 1, unit_count), 0.5
    )
    return Consensus(4, end, end, (), np.ones(4), np.arange(4), np.zeros(4))


def by_gid(ax: Axes, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_cells_are_darker_the_more_networks_have_both_in_a_module() -> None:
    inputs, _ = by_gid(plot.comodules(two_witnesses_of_three()), "shares")
    brightness = np.asarray(inputs.get_array()).sum(axis=-1).astype(int)
    assert brightness.shape == (4, 4)
    assert brightness[0, 1] < brightness[0, 2] == brightness[3, 0]


def test_few_units_have_their_share_written_in_each_cell() -> None:
    written = texts(plot.comodules(two_witnesses_of_three()))
    # Half of the sixteen input cells, and two of the four of the outputs.
    assert written.count("33") == 10


def test_groups_are_outlined_where_they_stand() -> None:
    inputs, outputs = by_gid(plot.comodules(two_witnesses_of_three()), "groups")
    heights = [np.ptp(path.vertices[:, 1]) for path in inputs.get_paths()]
    assert heights == pytest.approx([2 * cell_side(4)] * 2)
    assert len(outputs.get_paths()) == 2


def test_bars_are_as_long_as_the_confidence() -> None:
    found = two_witnesses_of_three()
    bars, _ = by_gid(plot.comodules(found), "confidence")
    lengths = [np.ptp(path.vertices[:, 0]) for path in bars.get_paths()]
    ratio = np.array(lengths) / found.inputs.confidence
    assert ratio == pytest.approx(ratio[0])


def test_rows_hold_the_cells_and_bars_of_their_own_units() -> None:
    # Units 0, 3, 6 are one group of nine units, the last of them the surest.
    ax = plot.comodules(many(9))
    (shares, _), (bars, _) = by_gid(ax, "shares"), by_gid(ax, "confidence")
    cells = np.asarray(shares.get_array())
    expected = np.kron(np.eye(3, dtype=bool), np.ones((3, 3), dtype=bool))
    assert ((cells == cells[0, 0]).all(axis=-1) == expected).all()
    lengths = np.array([np.ptp(path.vertices[:, 0]) for path in bars.get_paths()])
    assert lengths / lengths.max() == pytest.approx(
        np.array([6, 3, 0, 7, 4, 1, 8, 5, 2]) / 8
    )


def test_head_and_scale_say_what_is_drawn() -> None:
    written = texts(plot.comodules(two_witnesses_of_three()))
    assert "4 inputs in 2 groups" in written
    assert "agreement 0.33" in written
    assert "% of 3 networks with both in one module" in written


def test_every_row_is_named_where_there_is_room() -> None:
    written = texts(plot.comodules(many(20)))
    assert {f"x{number}" for number in range(20)} <= set(written)


def test_groups_are_named_where_rows_are_too_low() -> None:
    assert cell_side(784) < SMALLEST_ROW
    written = texts(plot.comodules(many(784)))
    assert "262 units\nx0, x3, x6, +259" in written
    assert "x0" not in written


def test_dead_units_are_left_out_and_unknown_shares_explained() -> None:
    found = many(200, dead=0.5)
    dead = int((found.inputs.label < 0).sum())
    written = texts(plot.comodules(found))
    assert f"agreement 0.50; {dead} mostly dead left out" in written
    assert any("beige: nowhere" in text for text in written)


def test_picture_of_many_units_has_few_artists() -> None:
    assert len(plot.comodules(many(784)).get_children()) < 80


def test_all_dead_inputs_leave_an_empty_matrix(tmp_path: Path) -> None:
    none = SharedGroups(
        np.arange(2), np.full((1, 2), -1), np.full(2, -1), np.ones(2), 1.0
    )
    ax = plot.comodules(
        Consensus(1, none, many(3).outputs, (), np.ones(1), np.arange(1), np.zeros(1))
    )
    plot.save(ax, tmp_path / "empty.png")
    assert "0 inputs in 0 groups" in texts(ax)


def test_names_of_the_user_are_written() -> None:
    found = two_witnesses_of_three()
    ax = plot.comodules(found, input_names=["age", "sex", "$a", "b"])
    assert {"age", "sex", "$a", "b", "y0", "y1"} <= set(texts(ax))


@pytest.mark.parametrize("argument", ["input_names", "output_names"])
def test_too_few_names_are_refused(argument: str) -> None:
    names: dict[str, Any] = {argument: ["one"]}
    with pytest.raises(DataError, match=rf"{argument} must name .* it has 1"):
        plot.comodules(two_witnesses_of_three(), **names)


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("unit_count", [1, 40, 784])
def test_picture_is_saved(unit_count: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    plot.save(plot.comodules(many(unit_count)), path)
    assert path.stat().st_size > 5000


def test_given_axes_keep_their_size_and_are_returned() -> None:
    ax = Figure(figsize=(3, 2)).add_subplot()
    assert plot.comodules(two_witnesses_of_three(), ax=ax) is ax
    low, high = ax.get_ylim()
    assert low < -4 * cell_side(4) < 0 < high


def test_missing_matplotlib_is_said_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SculptError, match=r'pip install "sculpt_plugin\[plot\]"'):
        plot.comodules(two_witnesses_of_three())
