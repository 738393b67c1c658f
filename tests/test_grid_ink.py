"""The picture of a sweep shows every run where it belongs, and marks the sparsest."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from small_sweep import hand_made

from sculpt_plugin import plot
from sculpt_plugin.drawing.grid_ink import Shading, heading, per_cent
from sculpt_plugin.errors import DataError
from sculpt_plugin.pruning.grid import Sweep

UNITS, EDGES = (0.1, 0.2, 0.3), (0.01, 0.02)


def _collection(ax: Axes, gid: str) -> Any:
    """The first of a kind, which is not the key's."""
    return next(c for c in ax.collections if c.get_gid() == gid)


def _boxes(ax: Axes, gid: str) -> np.ndarray:
    """The lower left corners of the boxes of a kind."""
    paths = _collection(ax, gid).get_paths()
    return np.array([np.asarray(path.vertices)[0] for path in paths]).reshape(-1, 2)


def _texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_there_is_a_cell_with_its_density_for_each_run() -> None:
    sweep = hand_made()
    ax = plot.grid(sweep)
    assert len(_boxes(ax, "cells")) == len(sweep.runs) == 12
    texts = _texts(ax)
    for run in sweep.runs:
        assert per_cent(run.density) in texts


def test_a_number_stands_in_the_cell_of_its_run() -> None:
    sweep = hand_made(seeds=(0,), unit_steps=(0.2, 0.1))
    ax = plot.grid(sweep)
    run = sweep.runs[0]  # unit step 0.2: the right column; edge step 0.01: the lower
    corners = _boxes(ax, "cells")
    right, low = corners[:, 0].max(), corners[:, 1].min()
    (word,) = [
        text
        for text in ax.texts
        if right < text.get_position()[0] < right + 0.44
        and low < text.get_position()[1] < low + 0.3
    ]
    assert word.get_text() == per_cent(run.density)


def test_the_sparsest_run_of_each_seed_is_outlined() -> None:
    sweep = hand_made()
    ax = plot.grid(sweep)
    cells = dict(zip(sweep.runs, map(tuple, _boxes(ax, "cells")), strict=True))
    marked = set(map(tuple, _boxes(ax, "sparsest")))
    assert marked == {cells[sweep.sparsest(seed)] for seed in sweep.seeds}


def test_the_typical_run_of_each_seed_is_outlined_within_and_named() -> None:
    sweep = hand_made()
    typical = {seed: sweep.ranked(seed)[1] for seed in sweep.seeds}
    ax = plot.grid(sweep, typical=typical)
    cells = dict(zip(sweep.runs, _boxes(ax, "cells"), strict=True))
    marked = _boxes(ax, "typical")
    inset = np.array([marked[i] - cells[typical[i]] for i in sweep.seeds])
    assert len(marked) == 2
    assert (inset > 0).all() and (inset < 0.1).all()
    kept = f"typical: {typical[1].network.edge_count} edges"
    assert any(kept in text for text in _texts(ax))
    assert "typical, explained" in _texts(ax)


def test_nothing_is_said_of_typical_runs_where_none_are_given() -> None:
    ax = plot.grid(hand_made())
    assert not any("typical" in text for text in _texts(ax))
    assert not len(_boxes(ax, "typical"))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_typical_run_of_another_sweep_or_seed_is_refused(seed: int) -> None:
    sweep, other = hand_made(), hand_made()
    run = other.runs[0] if seed == 0 else sweep.runs[0]
    with pytest.raises(DataError, match=f"typical must hold .* the one of {seed} is"):
        plot.grid(sweep, typical={seed: run})


def test_runs_without_a_result_are_hatched_and_have_no_number() -> None:
    sweep = hand_made(seeds=(0,), failed=[(0, 0.2, 0.01)])
    ax = plot.grid(sweep)
    assert len(_boxes(ax, "cells")) == 5
    assert len(_boxes(ax, "no result")) == 1
    assert "100" not in _texts(ax)
    assert "no result" in _texts(ax)


def test_nothing_is_said_of_missing_results_where_there_are_none() -> None:
    assert "no result" not in _texts(plot.grid(hand_made()))


def test_the_sparsest_cell_is_the_darkest() -> None:
    sweep = hand_made(seeds=(0,))
    cells = _collection(plot.grid(sweep), "cells")
    light = [sum(colour[:3]) for colour in cells.get_facecolors()]
    dense = [run.density for run in sweep.runs]
    assert np.argsort(light).tolist() == np.argsort(dense).tolist()


def test_equal_ratios_of_density_are_equal_steps_of_colour() -> None:
    shading = Shading(0.01, 1.0)
    assert shading.paleness(0.1) == pytest.approx(shading.paleness(1.0) / 2)
    assert shading.paleness(0.01) == 0


@pytest.mark.parametrize("density", np.geomspace(0.01, 1, 12).tolist())
def test_numbers_can_be_read_on_their_cells(density: float) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    shading = Shading(0.01, 1.0)
    pair = [luminance(c(density)) for c in (shading.colour, shading.ink)]
    # The contrast that the Web's accessibility guidelines (WCAG 2, AA) ask for.
    assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5


def test_scores_are_in_the_cells_only_where_they_differ() -> None:
    same, other = hand_made(), hand_made(scores=(0.99, 0.9875))
    assert "each with score 1" in heading(same)
    assert "1" not in _texts(plot.grid(same))[: len(same.runs)]
    texts = _texts(plot.grid(other))
    assert (texts.count("0.99"), texts.count("0.9875")) == (6, 6)


def test_steps_are_named_in_per_cent_from_small_to_large() -> None:
    sweep = hand_made(seeds=(0,), unit_steps=(0.07, 0.05), edge_steps=(0.005,))
    places = {t.get_text(): t.get_position()[0] for t in plot.grid(sweep).texts}
    assert places["5"] < places["7"]
    assert "0.5" in places


def test_each_panel_says_whose_it_is_and_what_its_sparsest_keeps() -> None:
    sweep = hand_made(
        seeds=(0, 7), failed=[(7, *pair) for pair in product(UNITS, EDGES)]
    )
    texts = _texts(plot.grid(sweep))
    assert f"sparsest: {sweep.sparsest(0).network.edge_count} edges" in " ".join(texts)
    assert {"seed 0", "seed 7", "no run has a result"} <= set(texts)


@pytest.mark.parametrize(
    ("seeds", "units", "edges"),
    [((0,), (0.35,), (0.015,)), (tuple(range(8)), UNITS, EDGES)],
)
def test_no_word_leaves_the_page_or_meets_another(seeds, units, edges) -> None:
    failed = [(seeds[-1], units[0], edges[0])] if len(seeds) > 1 else []
    sweep = hand_made(seeds=seeds, unit_steps=units, edge_steps=edges, failed=failed)
    ax = plot.grid(sweep, typical={seed: sweep.sparsest(seed) for seed in seeds})
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    page = ax.get_window_extent()
    for number, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1, ax.texts[number]
        for other in boxes[:number]:
            assert not box.padded(-0.5).overlaps(other.padded(-0.5))


def test_a_grid_of_very_many_cells_is_drawn_without_numbers() -> None:
    units = tuple(step / 1000 for step in range(1, 201))
    ax = plot.grid(hand_made(seeds=(0,), unit_steps=units, edge_steps=(0.01,)))
    assert len(_boxes(ax, "cells")) == 200
    assert len(ax.texts) < 100
    assert ax.get_window_extent().width / ax.figure.dpi < 15


def test_given_axes_are_drawn_on_and_shrink_the_words() -> None:
    ax = Figure(figsize=(2, 2)).add_axes((0, 0, 1, 1))
    assert plot.grid(hand_made(), ax=ax) is ax
    assert max(float(text.get_fontsize()) for text in ax.texts) < 8


def test_a_sweep_in_which_nothing_has_a_result_is_drawn(tmp_path) -> None:
    sweep = hand_made(seeds=(0,), failed=[(0, *pair) for pair in product(UNITS, EDGES)])
    plot.save(plot.grid(sweep), tmp_path / "grid.png")


def test_a_sweep_without_runs_is_refused() -> None:
    empty = Sweep((), 1.0, hand_made()._build, (), ())
    with pytest.raises(DataError, match="at least one run"):
        plot.grid(empty)


def test_the_mark_is_not_a_colour_of_the_cells() -> None:
    marks = _collection(plot.grid(hand_made()), "sparsest")
    assert to_hex(marks.get_edgecolors()[0]) == "#d55e00"
