"""How many of the sculpted networks are right, cell by cell, beside the paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sculpt_plugin import tasks
from sculpt_plugin.analysis.modules import Method
from sculpt_plugin.errors import CheckpointError
from sculpt_plugin.reproducing.experiments import EXPERIMENTS, Criterion, Experiment
from sculpt_plugin.reproducing.judging import is_right
from sculpt_plugin.reproducing.outcome import (
    ENDING,
    Outcome,
    read_networks,
    read_outcome,
)
from sculpt_plugin.reproducing.published import published_density, published_rate
from sculpt_plugin.reproducing.reproduce import CELLS, CellDone
from sculpt_plugin.reproducing.spreading import spread
from sculpt_plugin.reproducing.verdicts import Verdicts, Voice, judge_cell
from sculpt_plugin.tasks import Family

METHODS: tuple[Method, ...] = ("bidirectional", "agglomerative")
"""The methods whose rates are given: our own and the paper's."""


@dataclass(frozen=True)
class Rate:
    """How many are right, of how many.

    Attributes:
        method: How modules were detected.
        voice: Who was heard.
        right: How many are right.
        total: How many there are; a network that was not learned counts as wrong.
    """

    method: Method
    voice: Voice
    right: int
    total: int

    @property
    def share(self) -> float:
        """The share that is right."""
        return self.right / self.total


@dataclass(frozen=True)
class Row:
    """One cell of the paper's tables.

    Attributes:
        family: The experiment.
        task: The task's name.
        depth: How many hidden layers; None for all depths together.
        criterion: What must be right.
        published: The paper's rate, None where it gives none.
        rates: Ours, in the same order in all rows.
    """

    family: Family
    task: str
    depth: int | None
    criterion: Criterion
    published: float | None
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class DensityRow:
    """How sparse the networks of one shape became.

    Attributes:
        task: The task's name.
        hidden: Units of each hidden layer.
        densities: Of the sparsest network of each seed that has one.
        published: The paper's, None where it gives none.
    """

    task: str
    hidden: tuple[int, ...]
    densities: tuple[float, ...]
    published: float | None


@dataclass(frozen=True)
class JudgedCell:
    """A cell with what its networks show.

    Attributes:
        outcome: What the cell came to.
        verdicts: By method, then by who is heard: one for each seed, or one for all.
    """

    outcome: Outcome
    verdicts: Verdicts

    @property
    def depth(self) -> int:
        """How many hidden layers the networks have."""
        return len(self.outcome.cell.hidden)

    def answers(
        self, method: Method, voice: Voice, family: Family, criterion: Criterion
    ) -> list[bool]:
        """Tell of each verdict whether it is right; of no network it is not."""
        task = tasks.get(self.outcome.cell.task)
        return [
            verdict is not None
            and bool(
                is_right(verdict, task, family=family, depth=self.depth)[criterion]
            )
            for verdict in self.verdicts[method][voice]
        ]


@dataclass(frozen=True)
class Results:
    """Everything that was found.

    Attributes:
        rows: The paper's tables, ours beside them.
        densities: How sparse the networks became.
        cells: What all that rests on.
        witness_count: How many networks of a seed were heard together.
    """

    rows: tuple[Row, ...]
    densities: tuple[DensityRow, ...]
    cells: tuple[JudgedCell, ...]
    witness_count: int

    @property
    def seconds(self) -> float:
        """How long the sweeps took, one after the other with one thread."""
        return sum(cell.outcome.seconds for cell in self.cells)


def judge_folder(
    out: str | Path,
    *,
    families: Sequence[Family] = get_args(Family),
    methods: Sequence[Method] = METHODS,
    witness_count: int = 20,
    jobs: int = 1,
    on_cell: Callable[[CellDone], Any] | None = None,
) -> Results:
    """Judge the networks that `reproduce` left in a folder. Trains nothing.

    Args:
        out: The folder.
        families: Whose rows to give, as far as their cells are done.
        methods: How modules are detected.
        witness_count: How many of a seed's sparsest networks a consensus hears.
        jobs: How many processes work side by side.
        on_cell: Called whenever the networks of a cell are judged.

    Returns:
        The rates, and what they rest on.

    Raises:
        CheckpointError: There is nothing to judge, or a file is damaged.
        TrainError: A worker process died.

    Example:
        >>> import tempfile
        >>> from sculpt_plugin.reproducing.experiments import Cell
        >>> from sculpt_plugin.reproducing.reproduce import reproduce
        >>> cell = Cell("4,1,4", (12,), (0.5,), (0.05,), seeds=(0,))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     _ = reproduce([cell], out)
        ...     row = judge_folder(out, methods=["agglomerative"]).rows[0]
        >>> row.task, row.criterion, row.published, row.rates[0].total
        ('4,1,4', 'modules', 1, 1)
    """
    folder = Path(out) / CELLS
    known = {name for family in families for name in EXPERIMENTS[family].tasks}
    outcomes = [
        outcome
        for outcome in map(read_outcome, sorted(folder.glob(f"*{ENDING}")))
        if outcome.cell.task in known
    ]
    if not outcomes:
        raise CheckpointError(
            f"{out} must hold cells of {', '.join(families)}, but none is done: run "
            "`sculpt reproduce` first."
        )
    outcomes.sort(key=lambda found: _place(found, families))
    calls = [(outcome, folder, tuple(methods), witness_count) for outcome in outcomes]
    judged: dict[str, JudgedCell] = {}
    for cell in spread(_judged, calls, jobs=jobs, kept=folder):
        judged[cell.outcome.cell.name] = cell
        if on_cell is not None:
            done, total = len(judged), len(outcomes)
            on_cell(CellDone(cell.outcome, done, total, done / total))
    cells = tuple(judged[outcome.cell.name] for outcome in outcomes)
    rows = [row for family in families for row in _rows(EXPERIMENTS[family], cells)]
    return Results(tuple(rows), tuple(map(_density, cells)), cells, witness_count)


def _judged(
    outcome: Outcome, folder: Path, methods: Sequence[Method], witness_count: int
) -> JudgedCell:
    """Judge the networks of one cell."""
    networks = read_networks(folder, outcome)
    verdicts = judge_cell(
        outcome.cell, networks, methods=methods, witness_count=witness_count
    )
    return JudgedCell(outcome, verdicts)


def _place(outcome: Outcome, families: Sequence[Family]) -> tuple:
    """Where a cell stands: by family, task, depth and width."""
    name, hidden = outcome.cell.task, outcome.cell.hidden
    places = (
        (place, EXPERIMENTS[family].tasks.index(name))
        for place, family in enumerate(families)
        if name in EXPERIMENTS[family].tasks
    )
    return min(places), len(hidden), hidden


def _rows(experiment: Experiment, cells: Sequence[JudgedCell]) -> list[Row]:
    """Sum up the cells of one family: by depth, and together where the paper does."""
    rows = []
    for task in experiment.tasks:
        of_task = [cell for cell in cells if cell.outcome.cell.task == task]
        by_depth: dict[int | None, list[JudgedCell]] = {}
        if experiment.pooled and of_task:
            by_depth[None] = of_task
        for cell in of_task:
            by_depth.setdefault(cell.depth, []).append(cell)
        rows += [
            _row(experiment.family, task, depth, criterion, group)
            for criterion in experiment.criteria
            for depth, group in by_depth.items()
        ]
    return rows


def _row(
    family: Family,
    task: str,
    depth: int | None,
    criterion: Criterion,
    cells: Sequence[JudgedCell],
) -> Row:
    """Sum up the cells of one row."""
    rates = []
    for voice in get_args(Voice):
        for method in cells[0].verdicts:
            answers = [
                answer
                for cell in cells
                for answer in cell.answers(method, voice, family, criterion)
            ]
            rates.append(Rate(method, voice, sum(answers), len(answers)))
    published = published_rate(family, task, depth=depth, criterion=criterion)
    return Row(family, task, depth, criterion, published, tuple(rates))


def _density(cell: JudgedCell) -> DensityRow:
    """Give the densities of a cell."""
    of = cell.outcome.cell
    densities = [cell.outcome.density(seed) for seed in of.seeds]
    known = tuple(density for density in densities if density is not None)
    return DensityRow(of.task, of.hidden, known, published_density(of.task, of.hidden))
