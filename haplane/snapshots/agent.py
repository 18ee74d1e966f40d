"""The agent on an etcd member: ``run tick | take | list | check [--settings FILE]``.

One JSON document on stdout, or one line of JSON on stderr and the exit code of the error.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from haplane.domain.slots import Half, Moment, eligible, moment_at, on_duty
from haplane.errors import BadInput, ExitCode, HaplaneError, Locked
from haplane.snapshots import alarm, processes
from haplane.snapshots.etcd import Etcd, View
from haplane.snapshots.local import LocalSnapshots
from haplane.snapshots.manifest import Manifest
from haplane.snapshots.pipeline import take
from haplane.snapshots.settings import SETTINGS, AgentSettings
from haplane.snapshots.state import State
from haplane.snapshots.store import Store
from haplane.snapshots.unfinished import UnfinishedUpload

TAKE_PATIENCE_SECONDS = 120.0
POLL_SECONDS = 2
Document = dict[str, Any]
T = TypeVar("T")


class Stopped(BaseException):
    """SIGTERM or a closed connection: no library takes it for an error of its own."""


@dataclass(frozen=True)
class Agent:
    """The agent's parts, made from its settings."""

    settings: AgentSettings
    etcd: Etcd
    local: LocalSnapshots
    store: Store | None

    @classmethod
    def of(cls, settings: AgentSettings) -> Agent:
        """Nothing is contacted yet."""
        return cls(
            settings=settings,
            etcd=Etcd(settings.paths, settings.member),
            local=LocalSnapshots(Path(settings.directory)),
            store=Store(settings.s3, settings.cluster) if settings.s3 else None,
        )

    @property
    def lease_seconds(self) -> int:
        """How long a dead agent still counts as running; below half a slot, so that its deputy finds it gone."""
        return max(2, min(15, self.settings.interval_seconds // 4))


def tick(agent: Agent) -> Document:
    """From the timer: take a snapshot if it is this member's turn, and it was not delivered yet."""
    moment = moment_at(time.time(), agent.settings.interval_seconds)
    told: Document = {"slot": moment.slot, "half": moment.half.value, "did": "nothing"}
    try:
        with turn(agent) as state:
            view = agent.etcd.view()
            names = eligible(view.candidates)
            if not names or on_duty(moment, names) != agent.settings.member:
                return {**told, "why": "it is another member's turn"}
            try:
                manifest = deliver(agent, state, view, moment)
            except Locked as error:
                if moment.half is Half.START:
                    state.skipped()
                return {**told, "why": f"{error.what}: {error.why}"}
    except Locked as error:
        return {**told, "why": error.what}
    if manifest is None:
        return {**told, "why": "the slot is delivered"}
    return {**told, "did": "snapshot", "id": manifest.id, "seconds": round(manifest.total_seconds, 1)}


def take_now(agent: Agent) -> Document:
    """By hand: whoever's turn it is, once no other snapshot runs. The manifest."""
    slot = moment_at(time.time(), agent.settings.interval_seconds).slot

    def once() -> Manifest:
        with turn(agent) as state:
            view = agent.etcd.view()
            with agent.etcd.announced(slot, agent.lease_seconds):
                return snapshot(agent, state, view, slot)

    return cast(Document, json.loads(patiently(once, TAKE_PATIENCE_SECONDS).to_bytes()))


def deliver(agent: Agent, state: State, view: View, moment: Moment) -> Manifest | None:
    """Take the slot's snapshot; None when another member did. Raises Locked while another member is at it.

    At the middle the other one may be dead: its deputy waits until its lease has run out. Without quorum nothing
    can be announced, and nobody is asked.
    """

    def once() -> Manifest | None:
        noted = agent.etcd.read_through_quorum()
        if noted is None:
            return snapshot(agent, state, view, moment.slot)
        if noted.slot == moment.slot:  # a later one was noted by a clock that is wrong
            return None
        with agent.etcd.announced(moment.slot, agent.lease_seconds):
            return snapshot(agent, state, view, moment.slot)

    return patiently(once, agent.lease_seconds + POLL_SECONDS if moment.half is Half.MIDDLE else 0)


def snapshot(agent: Agent, state: State, view: View, slot: int) -> Manifest:
    """Make one, keep what the policy says, and tell the others. What kept it out of the bucket is raised."""
    lower_priority()
    state.begun(datetime.now(UTC))
    outcome = take(agent.settings, agent.etcd, view, agent.local, agent.store)
    agent.local.prune(agent.settings.keep_local, agent.settings.cluster, agent.settings.member)
    if outcome.failure is not None:
        state.kept_here(outcome.manifest)
        raise outcome.failure
    state.delivered(outcome.manifest, datetime.now(UTC))
    if outcome.manifest.with_quorum:
        agent.etcd.note_delivered(slot, outcome.manifest.id)
    return outcome.manifest


@contextmanager
def turn(agent: Agent) -> Iterator[State]:
    """Hold this host's lock, with the leftovers of interrupted runs removed; record and tell what fails inside.

    Raises Locked while another agent runs here.
    """
    with agent.local.locked():
        state = State(agent.settings)
        try:
            state.idle()
            agent.local.clean()
            if agent.store is not None:
                UnfinishedUpload(agent.local.directory).abort(agent.store)
            yield state
        except Locked:
            raise
        except (HaplaneError, OSError, Stopped) as error:
            told = explained(error)
            if state.failed(told, datetime.now(UTC)):
                alarm.sound(agent.settings, told)
            raise told from error
        finally:
            agent.local.clean()
            state.write_textfile(len(agent.local.all()))


def patiently(attempt: Callable[[], T], seconds: float) -> T:
    """Again and again while it raises Locked, until the time is over; at least once."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Locked:
            if time.monotonic() > give_up_at:
                raise
        time.sleep(POLL_SECONDS)


def list_local(agent: Agent) -> Document:
    """Signed snapshots on this disk, oldest first: manifest and signature as base64 of their very bytes."""
    found = agent.local.all() if agent.local.directory.is_dir() else ()
    return {
        "snapshots": [
            {
                "id": one.id,
                "manifest": base64.b64encode(one.manifest).decode(),
                "signature": base64.b64encode(one.signature).decode(),
                "bytes": one.size,
            }
            for one in found
        ]
    }


def check(agent: Agent) -> Document:
    """Whether the bucket can be written and read from here."""
    if agent.store is None:
        return {"s3": None}
    began = time.monotonic()
    agent.store.check(agent.settings.member)
    return {
        "s3": agent.settings.s3.bucket if agent.settings.s3 else None,
        "seconds": round(time.monotonic() - began, 3),
    }


COMMANDS: dict[str, Callable[[Agent], Document]] = {
    "tick": tick, "take": take_now, "list": list_local, "check": check,
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        command, path = parse(words)
        print(json.dumps(command(Agent.of(AgentSettings.from_json(path.read_bytes())))), flush=True)  # noqa: T201
    except (HaplaneError, OSError, Stopped) as error:
        told = explained(error)
        line = {"error": told.what, **dict(told.details()), "exit_code": int(told.exit_code)}
        print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
        return int(told.exit_code)
    return int(ExitCode.DONE)


def parse(words: Sequence[str]) -> tuple[Callable[[Agent], Document], Path]:
    """The command and the settings file of a command line."""
    match list(words):
        case [name] if name in COMMANDS:
            return COMMANDS[name], Path(SETTINGS)
        case [name, "--settings", path] if name in COMMANDS:
            return COMMANDS[name], Path(path)
    raise BadInput("this is not a command of the snapshot agent", next_step=f"one of {', '.join(COMMANDS)}")


def explained(error: BaseException) -> HaplaneError:
    """Any failure as one of ours."""
    if isinstance(error, HaplaneError):
        return error
    if isinstance(error, OSError):
        return HaplaneError(f"the operating system refuses: {error.strerror}", where=error.filename)
    return HaplaneError("the run was stopped before it was done")


def lower_priority() -> None:
    """The unit says the same; by hand nobody does. Helpers inherit it."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    processes.attempt(["ionice", "-c", "3", "-p", str(os.getpid())], seconds=5)


def _stop(*_: object) -> NoReturn:
    raise Stopped
