"""A sweep: many searches over pairs of steps and start networks, done together."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from hashlib import sha256
from itertools import pairwise, product
from math import inf, isnan
from operator import index
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sculpt_plugin import store
from sculpt_plugin.claim import claimed
from sculpt_plugin.coupling import Coupling, couple
from sculpt_plugin.errors import (
    DataError,
    ModelError,
    ThresholdError,
    TrainError,
    one_line,
)
from sculpt_plugin.pruning import refusals
from sculpt_plugin.pruning.grid import Progress, Run, Sweep
from sculpt_plugin.pruning.lanes import alone
from sculpt_plugin.pruning.lanes.journal import Journal, read_entries
from sculpt_plugin.pruning.lanes.layout import Layout, check_lanes, lay_out
from sculpt_plugin.pruning.lanes.program import program
from sculpt_plugin.pruning.lanes.sensing import unit_scores
from sculpt_plugin.pruning.lanes.state import Trial, Tried
from sculpt_plugin.pruning.lanes.together import (
    prepare_together,
    room_for,
    runs_narrow,
    try_together,
)
from sculpt_plugin.pruning.lanes.walking import Grid, Known, Try, walk
from sculpt_plugin.pruning.masks import Masks
from sculpt_plugin.pruning.spreading import spread
from sculpt_plugin.training.recipe import Recipe

FORMAT = "sculpt-sweep-checkpoint/2"
_SETTINGS = "settings.json"

Build = Callable[[int], nn.Module]
"""Builds the start network of a seed."""


def sweep(
    build: Build,
    recipe: Recipe,
    *,
    seeds: Sequence[int] = (0, 1, 2, 5),
    unit_steps: Sequence[float] = tuple(step / 100 for step in range(5, 75, 5)),
    edge_steps: Sequence[float] = (0.005, 0.01, 0.015, 0.02, 0.025),
    min_score: float = 1.0,
    one_by_one: bool = False,
    lanes: bool = True,
    jobs: int = 1,
    checkpoint: str | Path | None = None,
    on_progress: Callable[[Progress], Any] | None = None,
) -> Sweep:
    """Sculpt networks with every pair of steps, and keep all that comes of it.

    How much is removed at once decides where a search gets stuck, and nobody knows the
    best steps beforehand. The paper tries 70 pairs per network and keeps the sparsest.
    Here all of them are trained together as one batched program, and what two runs
    would do alike is done once. Each run ends as `sculpt` would end it alone.

    Args:
        build: `build(seed)` gives a start network on the CPU, all of one architecture.
            With more than one job it must pickle.
        recipe: How a network learns. Its `seed` is replaced by that of each network.
        seeds: Names of the start networks and of their random numbers.
        unit_steps: The shares of all units to remove per turn.
        edge_steps: The shares of all edges to remove per turn.
        min_score: The score that every accepted turn holds.
        one_by_one: Whether a run goes on where its smallest edge cannot go, and tries
            each other one by itself, until none is left that can go.
        lanes: Train together. False trains one network after the other, for models
            that `torch.func.vmap` cannot run; so does `bf16`.
        jobs: Spread the start networks, and where they are fewer the unit steps, over
            so many processes of joblib. Inside `joblib.parallel_config("dask")` they
            go to the workers of a Dask cluster.
        checkpoint: A folder. A sweep that was killed and is started again with the
            same arguments goes on from there and ends with the same results.
        on_progress: Called after each round, and with several jobs after each job.

    Returns:
        All runs with their records and networks.

    Raises:
        DataError: The grid is empty, or a step is no share.
        LaneError: The model has no lanes; the message says why.
        ModelError: The model cannot be called, or has nothing that may be pruned.
        ThresholdError: No network learns to `min_score`.
        CheckpointError: The folder is in other use, damaged, or cannot be written.
        TrainError: Every run diverged, or a worker process was lost.

    Example:
        >>> from functools import partial
        >>> from sculpt_plugin import tasks
        >>> task = tasks.get("4,1,4")
        >>> def build(seed):
        ...     return tasks.mlp(task, hidden=(12,), seed=seed)
        >>> found = sweep(
        ...     build, tasks.learning(task), seeds=(0, 1),
        ...     unit_steps=(0.2, 0.5), edge_steps=(0.02,))
        >>> len(found.runs), found.sparsest().score
        (4, 1.0)

    Reference:
        Patil, Michael and Dovrolis, "Neural Sculpting", NeurIPS 2023,
        https://arxiv.org/abs/2305.18402
    """
    refusals.check_makers(build, recipe)
    lanes = refusals.flag(lanes, name="lanes")
    # Plain numbers, whatever library they came from, for the checkpoint's settings.
    try:
        grid = _Corners(
            tuple(map(index, seeds)),
            tuple(map(float, unit_steps)),
            tuple(map(float, edge_steps)),
            float(min_score),
            refusals.flag(one_by_one, name="one_by_one"),
        )
        jobs = index(jobs)
    except (TypeError, ValueError) as error:
        raise DataError(
            "seeds must be whole numbers, unit_steps and edge_steps shares, as (0.1, "
            f"0.2), min_score and jobs one number each: {one_line(error)}."
        ) from error
    refusals.check_grid(grid.seeds, grid.unit_steps, grid.edge_steps, jobs)
    refusals.check_early_accept(recipe, grid.min_score)
    models = [build(seed) for seed in grid.seeds]
    refusals.check_built(models)
    recipe = recipe.on_device_of(models[0])
    coupling = couple(models[0], recipe.inputs)
    refusals.check_alike(models, grid.seeds, recipe.inputs)
    refusals.check_weights(models[0], "before training", ModelError)
    refusals.check_model(coupling, grid.unit_steps[0], grid.edge_steps[0])
    parts = _parts(grid, jobs)
    folder = refusals.folder_of(checkpoint)
    with ExitStack() as stack:
        if folder is not None:
            settings = _settings(grid, recipe, models, lanes, jobs)
            reached = [_part_name(number) for number in range(len(parts))]
            stack.enter_context(
                claimed(folder, _SETTINGS, settings, reached=reached, kind="a sweep's")
            )
        work = partial(_walk_part, build, recipe, lanes)
        runs = _all_runs(work, parts, jobs, folder, on_progress)
    order = {key: place for place, key in enumerate(grid.keys)}
    runs.sort(key=lambda run: order[run.seed, run.unit_step, run.edge_step])
    _check_learned(runs, min_score)
    masked = tuple(Masks.dense(models[0], coupling).keep)
    return Sweep(tuple(runs), min_score, build, coupling.weights, masked)


@dataclass(frozen=True)
class _Corners:
    """What a grid spans."""

    seeds: tuple[int, ...]
    unit_steps: tuple[float, ...]
    edge_steps: tuple[float, ...]
    min_score: float
    one_by_one: bool

    @property
    def keys(self) -> list[tuple[int, float, float]]:
        """What names each run, in order."""
        return list(product(self.seeds, self.unit_steps, self.edge_steps))


def _parts(grid: _Corners, jobs: int) -> list[_Corners]:
    """Cut a grid into parts of whole seeds, or of unit steps where seeds are few."""
    if jobs <= len(grid.seeds):
        return [replace(grid, seeds=part) for part in _even(grid.seeds, jobs)]
    pieces = _even(grid.unit_steps, -(-jobs // len(grid.seeds)))
    return [
        replace(grid, seeds=(seed,), unit_steps=piece)
        for seed in grid.seeds
        for piece in pieces
    ]


def _even(values: tuple, count: int) -> list[tuple]:
    """Cut values into at most so many parts of about one size."""
    count = min(count, len(values))
    bounds = [len(values) * number // count for number in range(count + 1)]
    return [values[a:b] for a, b in pairwise(bounds)]


def _part_name(number: int) -> str:
    """Name the folder of one part."""
    return f"part-{number:03d}"


def _all_runs(
    work: Callable[..., list[Run]],
    parts: Sequence[_Corners],
    jobs: int,
    folder: Path | None,
    on_progress: Callable[[Progress], Any] | None,
) -> list[Run]:
    """Walk the parts here, or in processes of their own."""
    folders = [folder and folder / _part_name(number) for number in range(len(parts))]
    if len(parts) == 1:
        return work(parts[0], folders[0], on_progress)
    calls = [
        partial(work, part, place, None)
        for part, place in zip(parts, folders, strict=True)
    ]
    kept = f"what was finished is in {folder}" if folder else "nothing was kept"
    runs: list[Run] = []
    total = sum(len(part.keys) for part in parts)
    for found in spread(calls, jobs=jobs, kept=kept):
        runs += found
        if on_progress is not None:
            turns = sum(len(run.record) for run in runs)
            on_progress(Progress(len(runs), total, turns, len(runs) / total))
    return runs


def _walk_part(
    build: Build,
    recipe: Recipe,
    lanes: bool,
    part: _Corners,
    folder: Path | None,
    on_progress: Callable[[Progress], Any] | None,
) -> list[Run]:
    """Walk the runs of one part of the grid."""
    models = [build(seed).cpu() for seed in part.seeds]
    coupling = couple(models[0], recipe.inputs)
    layout = lay_out(models[0], coupling)
    prepare, attempt, spare = _backend(
        models, recipe, coupling, layout, part.seeds, lanes
    )
    grid = Grid(
        part.seeds,
        part.unit_steps,
        part.edge_steps,
        part.min_score,
        unit_total=coupling.unit_count,
        unit_limit=coupling.unit_count - len(coupling.prunable),
        edge_total=int(layout.is_edge.sum()),
        one_by_one=part.one_by_one,
    )
    known = Known()
    with ExitStack() as stack:
        if folder is not None:
            # A worker may outlive a sweep that was killed, and still be writing here.
            store.make_folder(folder)
            stack.enter_context(store.locked(folder))
            known = read_entries(folder, layout)
        journal = Journal(folder, known)
        if not known.outcomes:
            began = time.perf_counter()
            tried = prepare()
            seconds = time.perf_counter() - began
            trials = [Trial(place, "dense", 0) for place in range(len(part.seeds))]
            for trial, made in zip(trials, tried, strict=True):
                known.note(trial, made, min_score=part.min_score, seconds=seconds)
                known.states.setdefault(trial.parent, made.state)
            journal.add(trials)
        runs = walk(
            grid,
            known,
            attempt,
            spare=spare,
            on_round=journal.add,
            on_progress=on_progress,
        )
        journal.close()
    return runs


def _backend(
    models: Sequence[nn.Module],
    recipe: Recipe,
    coupling: Coupling,
    layout: Layout,
    seeds: Sequence[int],
    lanes: bool,
) -> tuple[Callable[[], list[Tried]], Try, int]:
    """Give what prepares the dense networks, what tries lanes, and its spare lanes."""
    model = models[0]
    if not lanes or recipe.bf16:
        recipes = {seed: replace(recipe, seed=seed) for seed in seeds}
        # A model whose numbers do not fit into a row is refused before any training.
        alone.row_of(model)
        return (
            partial(alone.prepare_alone, layout, list(recipes.values()), models),
            partial(alone.try_alone, model, coupling, layout, recipes),
            0,
        )
    check_lanes(model, coupling)
    made = program(model, recipe)
    # A model whose units cannot be watched is refused before anything is trained.
    row = alone.row_of(model)
    unit_scores(made, layout, row[None])
    narrow = runs_narrow(made, layout, row)
    room = room_for(made, layout, row)
    return (
        partial(prepare_together, made, layout, models, seeds, most=room.most),
        partial(try_together, made, layout, narrow=narrow, most=room.most),
        room.spare,
    )


def _check_learned(runs: Sequence[Run], min_score: float) -> None:
    """Refuse a sweep of which nothing came."""
    if any(run.problem is None for run in runs):
        return
    if any(step.accepted for run in runs for step in run.record):
        raise TrainError(f"No run came to its end: {runs[-1].problem}.")
    # What diverged has no score to compare.
    best = max(runs, key=lambda run: -inf if isnan(run.score) else run.score)
    raise ThresholdError(
        f"A network must score {min_score:g} before it is pruned, but none of "
        f"{len({run.seed for run in runs})} does: the best, of seed {best.seed}, "
        f"scores {best.score:.4g}. Take wider layers, more epochs or other seeds, "
        "or a lower min_score."
    )


def _settings(
    grid: _Corners,
    recipe: Recipe,
    models: Sequence[nn.Module],
    lanes: bool,
    jobs: int,
) -> dict[str, object]:
    """Gather what must be the same for a killed sweep to go on."""
    plain = {
        field.name: getattr(recipe, field.name)
        for field in fields(recipe)
        if isinstance(getattr(recipe, field.name), int | float) and field.name != "seed"
    }
    tensors = [recipe.inputs, recipe.targets, *recipe.checked_on]
    weights = [p for model in models for p in model.parameters()]
    return {
        "format": FORMAT,
        **asdict(grid),
        **plain,
        "lanes": lanes,
        "jobs": jobs,
        "data": _digest(tensors),
        "start networks": _digest(weights),
    }


def _digest(tensors: Sequence[Tensor]) -> str:
    """Name numbers by their content."""
    found = sha256()
    for tensor in tensors:
        found.update(str((tuple(tensor.shape), tensor.dtype)).encode())
        # As bytes, for numpy has no bfloat16.
        flat = tensor.detach().cpu().flatten().view(torch.uint8)
        found.update(flat.numpy().tobytes())
    return found.hexdigest()[:16]
