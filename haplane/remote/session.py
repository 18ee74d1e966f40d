"""The only place that makes pyinfra's State and Inventory, connects, and runs operations.

Both are single-use, so every call builds its own; connecting is cheap. Inside one call every host gets the same
operations (pyinfra matches operations across hosts by index), and the order of hosts is never pyinfra's: a caller
that needs one host after another calls once per host.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gevent.hub import Hub
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import FactBase, get_facts
from pyinfra.api.inventory import Inventory as PyinfraInventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State
from pyinfra.context import ctx_host, ctx_state

from haplane.config.model import Host
from haplane.domain.answers import TOO_LATE, Gathered
from haplane.domain.progress import Activity, Progress
from haplane.errors import DEADLINE_MARK, FIX_AND_RERUN, DeadlinePassed, HaplaneError, Unreachable
from haplane.remote.connector import HOST
from haplane.remote.ssh_failures import of_the_shell
from haplane.ssh import CONNECT_SECONDS
from haplane.streams import shortened

Hub.NOT_ERROR = (*Hub.NOT_ERROR, PyinfraError)  # pyinfra hands it to us; gevent would print a traceback too
logging.getLogger("pyinfra").addHandler(logging.NullHandler())  # messages that come after a run was interrupted

FACT_SECONDS = 60
LOCKED_FACT_SECONDS = 150
"""In a run that holds the lock: whether a host is still there its heartbeats tell. An emulated machine that starts
every pod at once took over 30 s."""
TIMED_OUT = "Command timed out after"
DEADLINE_WORDS = (DEADLINE_MARK, TIMED_OUT, "timed out waiting for the condition")
"""What our scripts, pyinfra and kubectl report when a deadline has passed."""


def gather(hosts: Sequence[Host], fact: type[FactBase[Any]], **arguments: object) -> Gathered:
    """One fact from all hosts at once; a host that fails (the fact is None) is named, never silently dropped."""
    with _connected(hosts, tolerate=True) as session:
        if session.state.active_hosts:
            seconds = LOCKED_FACT_SECONDS if any(host.ssh.shell for host in hosts) else FACT_SECONDS
            options = {**arguments, "_timeout": seconds, "_ignore_errors": True}
            facts = get_facts(session.state, fact, kwargs=options)
            session.values = {host.name: value for host, value in facts.items() if value is not None}
        reasons = {host.name: session.reason(host.name) for host in hosts if host.name not in session.values}
        met = {host.name: getattr(host.connector, "first_contact", None) for host in session.state.active_hosts}
        return Gathered(session.values, reasons, {name: key for name, key in met.items() if key is not None})


def deploy(hosts: Sequence[Host], recipe: Callable[..., object], progress: Progress, **arguments: object) -> None:
    """Run one pyinfra recipe on all hosts at once.

    Raises Unreachable when a host cannot be connected to (nothing was done anywhere), DeadlinePassed or HaplaneError
    with the operation and its output when one fails.
    """
    if not hosts:
        return
    with _connected(hosts, tolerate=False) as session:
        session.state.add_callback_handler(_Announcer(progress))
        try:
            add_deploy(session.state, recipe, **arguments)
            run_ops(session.state)
        except PyinfraError as error:
            raise session.failure() or HaplaneError(str(error), next_step="re-run with --debug") from None
        if failure := session.failure():
            raise failure


class _Session:
    """One State, with pyinfra's messages about its hosts."""

    def __init__(self, state: State, errors: Mapping[str, str], log: _Log) -> None:
        self.state = state
        self.values: dict[str, Any] = {}
        self._errors = errors
        self._log = log

    def reason(self, name: str) -> str:
        reason = self._errors.get(name) or self._log.about(name) or "no response"
        if late := re.search(rf"{TIMED_OUT} (\d+) ?s", reason):
            return f"{TOO_LATE} {late.group(1)} s"
        return of_the_shell(reason)

    def failure(self) -> HaplaneError | None:
        """The first failed operation, with every host it failed on."""
        failures = []
        for host in sorted(self.state.failed_hosts, key=lambda failed: failed.name):
            for operation_hash in self.state.op_meta:
                if operation_hash not in self.state.ops[host]:
                    continue
                meta = self.state.ops[host][operation_hash].operation_meta
                if meta.is_complete() and not meta.did_succeed():
                    names = ", ".join(self.state.op_meta[operation_hash].names)
                    failures.append((host.name, names, meta.stderr or meta.stdout or self.reason(host.name)))
                    break
            else:
                failures.append((host.name, "connection", self.reason(host.name)))
        if not failures:
            return None
        late = any(words in output for _, _, output in failures for words in DEADLINE_WORDS)
        return (DeadlinePassed if late else HaplaneError)(
            f"{failures[0][1]}: failed on {', '.join(name for name, _, _ in failures)}",
            where="; ".join(f"{name}: {operation}" for name, operation, _ in failures),
            why="\n".join(f"{name}: {tail(output)}" for name, _, output in failures),
            next_step=FIX_AND_RERUN,
        )


def tail(text: str, lines: int = 12) -> str:
    """The last lines of what a command printed, each shortened."""
    return "\n  ".join(shortened(line) for line in text.strip().splitlines()[-lines:])


@contextmanager
def _connected(hosts: Sequence[Host], *, tolerate: bool) -> Iterator[_Session]:
    names = [(f"@haplane/{host.name}", connection_data(host)) for host in hosts]
    inventory = PyinfraInventory((names, {}))
    config = Config(FAIL_PERCENT=None if tolerate else 0, CONNECT_TIMEOUT=CONNECT_SECONDS)
    errors = _Errors()
    with _Log() as log:
        state = State(inventory=inventory, config=config, check_for_changes=False)
        state.add_callback_handler(errors)
        try:
            _connect(state, hosts, errors, log, tolerate=tolerate)
            yield _Session(state, errors.reasons, log)
        except KeyboardInterrupt:
            state.pool.kill()  # or disconnecting would wait for a place in it
            raise
        finally:
            disconnect_all(state)
            ctx_state.reset()  # an exception out of pyinfra leaves its context behind
            ctx_host.reset()


def _connect(state: State, hosts: Sequence[Host], errors: _Errors, log: _Log, *, tolerate: bool) -> None:
    try:
        connect_all(state)
    except PyinfraError:
        if not tolerate:
            raise _unreachable(hosts, errors.reasons, log) from None
    if not tolerate and len(state.active_hosts) < len(hosts):
        raise _unreachable(hosts, errors.reasons, log)


def _unreachable(hosts: Sequence[Host], reasons: Mapping[str, str], log: _Log) -> Unreachable:
    lost = [host for host in hosts if host.name in reasons] or list(hosts)
    return Unreachable(
        f"{', '.join(host.name for host in lost)} cannot be reached",
        where=", ".join(str(host.ssh) for host in lost),
        why="; ".join(reasons.get(host.name) or log.about(host.name) or "no response" for host in lost),
        next_step="check that the host is on and that ssh to it works, then re-run",
    )


def connection_data(host: Host) -> dict[str, object]:
    """The host as pyinfra's data."""
    return {HOST: host}


class _Errors(BaseStateCallback):
    """Why hosts could not be connected to."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def host_connect_error(self, state: State, host: Any, error: Exception) -> None:  # type: ignore[override]  # noqa: ANN401 - pyinfra's callbacks are static methods; an instance serves as well
        self.reasons[host.name] = shortened(str(error))


class _Announcer(BaseStateCallback):
    """Every operation's start on every host, as progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def operation_start(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        hosts = ", ".join(sorted(host.name for host in state.active_hosts if op_hash in state.ops[host]))
        self._progress(hosts, Activity("; ".join(sorted(state.op_meta[op_hash].names))))

    def operation_host_success(self, state: State, host: Any, op_hash: str, retry_count: int = 0) -> None:  # type: ignore[override]  # noqa: ANN401 - as above
        self._progress(host.name, Activity(""))


class _Log(logging.Handler):
    """pyinfra's own messages, kept for ours instead of printed."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._lines: list[str] = []
        self._logger = logging.getLogger("pyinfra")

    def __enter__(self) -> _Log:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def about(self, host: str) -> str:
        """The last messages about a host, without the one that a fact failed (it repeats the whole command)."""
        messages = [line.split("]", 1)[-1].strip() for line in self._lines if f"[{host}]" in line]
        return "; ".join(shortened(line) for line in messages[-3:] if "could not load fact" not in line)
