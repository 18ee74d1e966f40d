"""The only place that makes pyinfra's State and Inventory, connects, and runs operations.

Both are single-use, so every call builds its own; connecting is cheap. Inside one call every host gets the same
operations (pyinfra matches operations across hosts by index), and the order of hosts is never pyinfra's: a caller
that needs one host after another calls once per host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from haplane.domain.progress import Progress
from haplane.errors import DEADLINE_MARK, DeadlinePassed, HaplaneError, Unreachable

Hub.NOT_ERROR = (*Hub.NOT_ERROR, PyinfraError)  # pyinfra hands it to us; gevent would print a traceback too
for name in ("pyinfra", "paramiko"):
    logging.getLogger(name).addHandler(logging.NullHandler())  # what is still said once a run was interrupted

CONNECT_SECONDS = 10
FACT_SECONDS = 30
DEADLINE_WORDS = (DEADLINE_MARK, "Command timed out after", "timed out waiting for the condition")
"""A script of ours, pyinfra, kubectl."""


@dataclass
class Gathered:
    """A value for each host that answered, a reason for each that did not.

    ``first_contacts`` are the fingerprints of host keys that nobody knew before.
    """

    values: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    first_contacts: dict[str, str] = field(default_factory=dict)


def gather(hosts: Sequence[Host], fact: type[FactBase[Any]], **arguments: object) -> Gathered:
    """One fact from all hosts at once; a host that fails (the fact is None) is named, never silently dropped."""
    with _connected(hosts, tolerate=True) as session:
        if session.state.active_hosts:
            wishes = {**arguments, "_timeout": FACT_SECONDS, "_ignore_errors": True}
            facts = get_facts(session.state, fact, kwargs=wishes)
            session.values = {host.name: value for host, value in facts.items() if value is not None}
        reasons = {host.name: session.reason(host.name) for host in hosts if host.name not in session.values}
        met = {host.name: getattr(host.connector, "first_contact", None) for host in session.state.active_hosts}
        return Gathered(session.values, reasons, {name: key for name, key in met.items() if key is not None})


def deploy(hosts: Sequence[Host], recipe: Callable[..., object], progress: Progress, **arguments: object) -> None:
    """Run one pyinfra recipe on all hosts at once.

    Raises Unreachable when a host cannot be connected to (nothing was done anywhere), HaplaneError with the operation
    and what the host said when one fails.
    """
    if not hosts:
        return
    with _connected(hosts, tolerate=False) as session:
        session.state.add_callback_handler(_Announcer(progress))
        try:
            add_deploy(session.state, recipe, **arguments)
            run_ops(session.state)
        except PyinfraError as error:
            raise session.failure() or HaplaneError(str(error), next_step="run again with --debug") from None
        if failure := session.failure():
            raise failure


class _Session:
    """One State with what was said while it lived."""

    def __init__(self, state: State, errors: Mapping[str, str], log: _Log) -> None:
        self.state = state
        self.values: dict[str, Any] = {}
        self._errors = errors
        self._log = log

    def reason(self, name: str) -> str:
        return self._errors.get(name) or self._log.about(name) or "no answer"

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
        late = any(words in said for _, _, said in failures for words in DEADLINE_WORDS)
        return (DeadlinePassed if late else HaplaneError)(
            f"{failures[0][1]}: failed on {', '.join(name for name, _, _ in failures)}",
            where="; ".join(f"{name}: {operation}" for name, operation, _ in failures),
            why="\n       ".join(f"{name}: {tail(said)}" for name, _, said in failures),
            next_step="mend the cause and run the same command again: it carries on from here",
        )


def tail(text: str, lines: int = 12) -> str:
    """The last lines of what a command said."""
    return "\n         ".join(text.strip().splitlines()[-lines:])


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
        where=", ".join(f"{host.ssh.user}@{host.ssh.hostname}:{host.ssh.port}" for host in lost),
        why="; ".join(reasons.get(host.name) or log.about(host.name) or "no answer" for host in lost),
        next_step="check that the machine is on and that ssh to it works, then run the same command again",
    )


def connection_data(host: Host) -> dict[str, object]:
    """The host as pyinfra's data."""
    ssh = host.ssh
    data = {
        "ssh_hostname": ssh.hostname,
        "ssh_port": ssh.port,
        "ssh_user": ssh.user,
        "ssh_key": ssh.key,
        "ssh_config_file": ssh.config_file,
        "ssh_known_hosts_file": ssh.known_hosts_file,
        "ssh_strict_host_key_checking": ssh.strict_host_key_checking,
        "_sudo": ssh.sudo,
        "_shell_executable": ssh.shell,
    }
    return {name: value for name, value in data.items() if value is not None}


class _Errors(BaseStateCallback):
    """Why hosts could not be connected to."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def host_connect_error(self, state: State, host: Any, error: Exception) -> None:  # type: ignore[override]  # noqa: ANN401 - pyinfra's callbacks are static methods; an instance serves as well
        self.reasons[host.name] = str(error)


class _Announcer(BaseStateCallback):
    """Every operation's start on every host, as progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def operation_start(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        hosts = ", ".join(sorted(host.name for host in state.active_hosts if op_hash in state.ops[host]))
        self._progress(hosts, "; ".join(sorted(state.op_meta[op_hash].names)))


class _Log(logging.Handler):
    """pyinfra's own words, kept for error messages instead of printed."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._lines: list[str] = []
        self._logger = logging.getLogger("pyinfra")

    def __enter__(self) -> _Log:
        self._logger.addHandler(self)
        self._logger.propagate = False
        logging.getLogger("paramiko").propagate = False  # its tracebacks repeat what the error says
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def about(self, host: str) -> str:
        """What was said of a host, without pyinfra's own remark that a fact failed (it repeats the whole request)."""
        said = [line.split("]", 1)[-1].strip() for line in self._lines if f"[{host}]" in line]
        return "; ".join(line for line in said[-3:] if "could not load fact" not in line)
