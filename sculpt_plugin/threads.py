"""One thread for a while: work that is spread over processes wants its core only."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread(*, flush_denormals: bool = False) -> Iterator[None]:
    """Let torch compute with one thread in the block, and as before after it.

    Args:
        flush_denormals: Whether numbers too small for their full precision are zero
            meanwhile. Computing with them takes many times as long.

    Example:
        >>> before = torch.get_num_threads()
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    threads, flushing = torch.get_num_threads(), _flushes_denormals()
    torch.set_num_threads(1)
    if flush_denormals:
        torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if flush_denormals:
            torch.set_flush_denormal(flushing)


def _flushes_denormals() -> bool:
    """Tell whether such numbers are zero now; torch can be told, but not asked."""
    tiny = torch.finfo(torch.float32).tiny
    return not (torch.tensor(tiny) / 2).item()
