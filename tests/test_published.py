import pytest

from sculpt_plugin.reproducing.experiments import EXPERIMENTS
from sculpt_plugin.reproducing.published import published_density, published_rate


@pytest.mark.parametrize(
    ("family", "task", "depth", "criterion", "expected"),
    [
        ("exemplar", "4,1,2,16", 1, "modules", 0),
        ("exemplar", "4,1,2,16", 3, "modules", 0.92),
        ("exemplar", "6,3,3,3", 2, "modules", 1),
        ("reuse", "4,1,2,2", 1, "modules", 0),
        ("reuse", "4,1,2,2", 2, "modules", 0.58),
        ("reuse", "4,1,2,16", 3, "modules", 0.92),
        ("overlap", "8,2,2", None, "inputs", 1),
        ("overlap", "7,3,2,2", None, "inputs", 0.97),
        ("overlap", "6,3,2,2", None, "outputs", 0.97),
        ("overlap", "5,3,2,12", None, "inputs", 0.89),
        ("overlap", "5,3,2,8", None, "apart", 0.03),
        ("overlap", "4,1,2,2,16", None, "outputs", 0.61),
        ("overlap", "4,1,2,2,2", None, "apart", 0),
        ("hierarchy", "8,2,1,2,16", 2, "modules", 0.83),
        ("hierarchy", "8,2,1,2,4", 3, "modules", 0.5),
        ("hierarchy", "8,2,1,2,8", 4, "modules", 0.92),
    ],
)
def test_numbers_are_the_papers(family, task, depth, criterion, expected):
    found = published_rate(family, task, depth=depth, criterion=criterion)
    assert found == expected


@pytest.mark.parametrize(
    ("family", "task", "depth", "criterion"),
    [
        ("hierarchy", "8,2,1,2,2", 2, "modules"),
        ("hierarchy", "8,2,1,2,4", 1, "modules"),
        ("overlap", "8,2,2", 2, "inputs"),
        ("overlap", "8,2,2", None, "modules"),
        ("reuse", "4,1,2,2", 2, "outputs"),
        ("exemplar", "4,2,4", None, "modules"),
    ],
)
def test_what_the_paper_does_not_say_is_none(family, task, depth, criterion):
    assert published_rate(family, task, depth=depth, criterion=criterion) is None


def test_the_paper_fills_114_cells():
    found = [
        published_rate(family, task, depth=depth, criterion=criterion)
        for family, experiment in EXPERIMENTS.items()
        for task in experiment.tasks
        for depth in (None, *experiment.depths)
        for criterion in experiment.criteria
    ]
    # 4 x 3 exemplars, 5 x 3 reuse, 25 x 3 overlap, 4 x 3 hierarchy.
    assert sum(rate is not None for rate in found) == 12 + 15 + 75 + 12


@pytest.mark.parametrize(
    ("task", "edges", "of"),
    [
        ("4,2,4", 16, 768),
        ("4,1,2,16", 29, 1056),
        ("6,3,3,3", 15, 792),
        ("4,1,4", 14, 768),
    ],
)
def test_densities_are_those_of_24_24(task, edges, of):
    assert published_density(task, (24, 24)) == pytest.approx(edges / of, abs=5e-5)
    assert published_density(task, (24,)) is None
