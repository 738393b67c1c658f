"""Work over processes: results as they come, and one line for a worker that died."""

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, cast

import joblib

from sculpt_plugin.errors import TrainError

Result = TypeVar("Result")


def spread(
    work: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    *,
    jobs: int,
    kept: Path,
) -> Iterator[Result]:
    """Call a piece of work with one set of arguments after the other, side by side.

    Workers that outlive a killed run end with the call that they are at.

    Args:
        work: Does one piece, and writes down what it came to.
        calls: The arguments of each call.
        jobs: How many processes work side by side.
        kept: Where what is done can be found, for the message.

    Yields:
        The results, as they come.

    Raises:
        TrainError: A worker process died.

    Example:
        >>> sorted(spread(abs, [(-2,), (1,)], jobs=1, kept=Path("results")))
        [1, 2]
    """
    pool = joblib.Parallel(
        n_jobs=jobs, pre_dispatch="n_jobs", return_as="generator_unordered"
    )
    results = cast(
        Generator[Result, None, None],
        pool(joblib.delayed(work)(*arguments) for arguments in calls),
    )
    # Left early, by an error or an interrupt, the workers shall stop as well.
    with closing(results), warnings.catch_warnings():
        # joblib renews workers whose memory has grown, and says so to everybody.
        warnings.filterwarnings("ignore", "A worker stopped while", UserWarning)
        try:
            yield from results
        except BrokenProcessPool as error:
            raise TrainError(
                "All worker processes must live, but one was killed, perhaps for want "
                f"of memory: the cells that are done are in {kept}. Run the same "
                "command again, with fewer jobs if memory is short."
            ) from error
