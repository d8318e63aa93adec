"""Calls that threads run before their results are taken."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class ReadAhead(Generic[Result]):
    """Results of calls, in the order of the calls; each thread runs one call ahead.

    Parameters
    ----------
    calls : iterator of callable
        May be endless; what a call raises is raised where its result is taken.
    threads : int
    """

    def __init__(self, calls: Iterator[Callable[[], Result]], threads: int) -> None:
        self._calls = calls
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="read-ahead")
        self._ahead: deque[Future[Result]] = deque()
        self._start()

    @property
    def ready(self) -> bool:
        """True when a result can be taken without waiting."""
        return bool(self._ahead) and self._ahead[0].done()

    def take(self) -> Result:
        """Wait for the next result and return it.

        Raises
        ------
        IndexError
            There is no further call.
        """
        result = self._ahead[0].result()
        self._ahead.popleft()
        self._start()
        return result

    def close(self) -> None:
        """End the threads; a call that is running is finished first."""
        self._executor.shutdown(cancel_futures=True)

    def _start(self) -> None:
        while len(self._ahead) < self._threads:
            call = next(self._calls, None)
            if call is None:
                return
            self._ahead.append(self._executor.submit(call))
