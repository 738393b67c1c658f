"""A function turned inside out: it asks, somebody else works, and it goes on."""

import threading
from collections.abc import Callable
from typing import Any

Ask = Callable[[Any], Any]
"""`ask(question)` waits for the answer and gives it."""


class Stopped(BaseException):
    """Raised in the function at its open question, when nobody will answer."""


class Handover:
    """Run a function that asks questions, one side at a time.

    A search that calls `train(model)` drives the training. Where something else drives,
    such as the loop of a trainer with hooks, the search has to wait until its question
    has been worked on. It runs in a thread of its own, but never beside the other
    side: while one works, the other waits.

    Args:
        work: `work(ask)` does the work, asks, and returns the result.

    Example:
        >>> def work(ask):
        ...     return ask("two") + ask("three")
        >>> handover = Handover(work)
        >>> handover.question
        'two'
        >>> handover.answer(2)
        >>> handover.question
        'three'
        >>> handover.answer(3)
        >>> handover.finished, handover.result
        (True, 5)
    """

    def __init__(self, work: Callable[[Ask], Any]) -> None:
        self.finished, self.question, self.result = False, None, None
        self._work, self._answer = work, None
        self._error: BaseException | None = None
        self._stopping = False
        self._ours, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        # A program that ends in the middle must not wait for an answer.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def answer(self, value: Any) -> None:
        """Answer the open question; returns at the next one, or at the end.

        Raises:
            Exception: Whatever the function raises.
        """
        self._answer = value
        self._theirs.release()
        self._wait()

    def close(self) -> None:
        """End the function at its open question, and let it tidy up."""
        if not self.finished:
            self._stopping = True
            self._theirs.release()
            self._thread.join()
            self.finished = True

    def _wait(self) -> None:
        """Wait until the function asks, has ended, or has failed."""
        self._ours.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        """Do the work, and keep what comes of it for the other side."""
        try:
            self.result = self._work(self._ask)
        except Stopped:
            pass
        except BaseException as error:  # it is raised on the other side
            self._error = error
        self.finished = True
        self._ours.release()

    def _ask(self, question: Any) -> Any:
        """Hand over to the other side and wait for its answer."""
        self.question = question
        self._ours.release()
        self._theirs.acquire()
        if self._stopping:
            raise Stopped
        return self._answer
