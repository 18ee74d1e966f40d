"""Several things at once, none of which an interrupted run waits for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

from haplane.errors import HaplaneError

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


class _Named(Protocol):
    @property
    def name(self) -> str:
        """The key of its result."""


Host = TypeVar("Host", bound=_Named)


class Threads(Executor):
    """As ThreadPoolExecutor, except for KeyboardInterrupt: that leaves the block, and Python, at once.

    ``most``: so many threads.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = max(1, most if most is not None else (os.cpu_count() or 1) + 4)
        self._given: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._futures: list[Future[Any]] = []

    def submit(
        self, work: Callable[Arguments, Found], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Found]:
        future: Future[Found] = Future()

        def act() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)

        if len(self._futures) < self._most:
            threading.Thread(target=self._carry_out, daemon=True).start()
        self._futures.append(future)
        self._given.put(act)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for future in self._futures:
                future.cancel()
        for _ in self._futures[: self._most]:
            self._given.put(None)
        if wait:
            futures.wait(self._futures)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        waits = kind is None or issubclass(kind, Exception)
        self.shutdown(wait=waits, cancel_futures=not waits)

    def _carry_out(self) -> None:
        while (act := self._given.get()) is not None:
            act()


def on_all(hosts: Sequence[Host], call: Callable[[Host], Found]) -> tuple[dict[str, Found], dict[str, HaplaneError]]:
    """Run ``call`` for all hosts at once. Returns the results and the errors, each by host."""
    answers, failures = {}, {}
    with Threads(len(hosts)) as pool:
        for host, answer in [(host, pool.submit(call, host)) for host in hosts]:
            try:
                answers[host.name] = answer.result()
            except HaplaneError as error:
                failures[host.name] = error
    return answers, failures
