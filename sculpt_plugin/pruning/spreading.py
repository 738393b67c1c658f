"""Spread work over processes, and say in one line what became of a lost one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import TypeVar, cast

from sculpt_plugin.errors import SculptError, TrainError, one_line
from sculpt_plugin.threads import one_thread

Result = TypeVar("Result")


def spread(
    calls: Sequence[Callable[[], Result]],
    *,
    jobs: int,
    kept: str = "nothing was kept",
) -> Iterator[Result]:
    """Make each call in a process of its own, and give what they return as it comes.

    joblib's processes on this machine do the work, or, inside
    `joblib.parallel_config("dask")`, all workers of a Dask cluster. Torch gets one
    thread in each: together they have all the cores.

    Args:
        calls: What to call; it must pickle, and so must what it returns.
        jobs: How many processes work side by side on this machine.
        kept: What remains if a process is lost, for the message.

    Yields:
        What the calls return, in the order they end.

    Raises:
        TrainError: A process was lost, or a call raised; errors of Sculpt's own come
            through as they are.

    Example:
        >>> from functools import partial
        >>> list(spread([partial(int, "7")], jobs=1))
        [7]
    """
    try:
        yield from _results(calls, jobs)
    except SculptError:
        raise
    except Exception as error:
        # Dask's own error has no base that could be named without Dask.
        lost = isinstance(error, BrokenExecutor) or "Killed" in type(error).__name__
        if lost:
            raise TrainError(
                f"A worker process was lost; {kept}. Run it again, with fewer jobs if "
                "the memory ran out."
            ) from error
        raise TrainError(
            f"A worker process raised {type(error).__name__} ({one_line(error)}); "
            f"{kept}. Mend it and run again."
        ) from error


def _results(calls: Sequence[Callable[[], Result]], jobs: int) -> Iterator[Result]:
    """Give the results of calls in the order they end."""
    import joblib

    backend, _ = joblib.parallel.get_active_backend()
    client = getattr(backend, "client", None)
    if client is None:
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        tasks = (joblib.delayed(_in_process)(call) for call in calls)
        yield from cast(Iterator[Result], pool(tasks))
        return
    from distributed import as_completed

    # joblib waits forever for what Dask gives up because its workers died.
    futures = [client.submit(_in_process, call, pure=False) for call in calls]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        client.cancel(futures)


def _in_process(call: Callable[[], Result]) -> Result:
    """Make one call beside others, which want cores too."""
    with one_thread():
        return call()
