"""The snapshot agent on an etcd member: ``run tick | take | check [--settings FILE]``.

It prints one JSON document to stdout, or one line of JSON to stderr and exits with the code of the error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from haplane.agent import alarm, processes
from haplane.agent.etcd import Etcd, View
from haplane.agent.failures import Stopped, explained
from haplane.agent.local import LocalSnapshots
from haplane.agent.manifest import Manifest
from haplane.agent.pipeline import take
from haplane.agent.settings import SETTINGS, AgentSettings
from haplane.agent.state import State
from haplane.agent.store import Store
from haplane.agent.unfinished import UnfinishedUpload
from haplane.domain.slots import Half, Turn, eligible, on_duty, turn_at
from haplane.errors import BadInput, ExitCode, HaplaneError, Locked

TAKE_SECONDS = 120.0
"""How long a snapshot taken by hand waits for one that runs elsewhere."""
POLL_SECONDS = 2
Document = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Agent:
    """The agent's parts, made from its settings."""

    settings: AgentSettings
    etcd: Etcd
    local: LocalSnapshots
    store: Store | None

    @classmethod
    def of(cls, settings: AgentSettings) -> Agent:
        """Contacts nothing."""
        return cls(
            settings=settings,
            etcd=Etcd(settings.paths, settings.member),
            local=LocalSnapshots(Path(settings.directory)),
            store=Store(settings.s3, settings.cluster) if settings.s3 else None,
        )

    @property
    def lease_seconds(self) -> int:
        """After how long a dead agent counts as ended: below half a slot, so that its deputy can act."""
        return max(2, min(15, self.settings.interval_seconds // 4))


def tick(agent: Agent) -> Document:
    """From the timer: take a snapshot if it is this member's turn and nobody has delivered the slot's yet."""
    now = turn_at(time.time(), agent.settings.interval_seconds)
    report: Document = {"slot": now.slot, "half": now.half.value, "did": "nothing"}
    try:
        with turn(agent) as state:
            view = agent.etcd.view()
            names = eligible(view.candidates)
            if not names or on_duty(now, names) != agent.settings.member:
                return {**report, "why": "it is another member's turn"}
            try:
                manifest = deliver(agent, state, view, now)
            except Locked as error:
                if now.half is Half.START:
                    state.skipped()
                return {**report, "why": f"{error.what}: {error.why}"}
    except Locked as error:
        return {**report, "why": error.what}
    if manifest is None:
        return {**report, "why": "another member has delivered this slot"}
    return {**report, "did": "snapshot", "id": manifest.id, "seconds": round(manifest.total_seconds, 1)}


def take_now(agent: Agent) -> Document:
    """By hand: take one whichever member's turn it is, once no other snapshot runs. Returns its manifest."""
    slot = turn_at(time.time(), agent.settings.interval_seconds).slot

    def once() -> Manifest:
        with turn(agent) as state:
            view = agent.etcd.view()
            with agent.etcd.announced(slot, agent.lease_seconds):
                return snapshot(agent, state, view, slot)

    return cast(Document, json.loads(until_unlocked(once, TAKE_SECONDS).to_bytes()))


def deliver(agent: Agent, state: State, view: View, now: Turn) -> Manifest | None:
    """Take the slot's snapshot; None when another member has. Raises Locked while another member takes one.

    At the middle of the slot the owner may be dead: its deputy waits until its lease has run out. Without quorum
    nothing can be announced or looked up, and a snapshot is taken in any case.
    """

    def once() -> Manifest | None:
        noted = agent.etcd.read_through_quorum()
        if noted is None:
            return snapshot(agent, state, view, now.slot)
        if noted.slot == now.slot:  # a later slot was noted by a host whose clock is wrong
            return None
        with agent.etcd.announced(now.slot, agent.lease_seconds):
            return snapshot(agent, state, view, now.slot)

    return until_unlocked(once, agent.lease_seconds + POLL_SECONDS if now.half is Half.MIDDLE else 0)


def snapshot(agent: Agent, state: State, view: View, slot: int) -> Manifest:
    """Take one, prune this disk, and note the slot as delivered. Raises what kept it out of the bucket."""
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
    """Hold this host's lock, with the leftovers of interrupted runs removed; record and report what fails inside.

    Every failure reaches state, metrics and alarm. Raises Locked while another agent runs here.
    """
    state = State(agent.settings)
    with ExitStack() as held:
        try:
            held.enter_context(agent.local.locked())
            state = State(agent.settings)
            state.idle()
            agent.local.clean()
            if agent.store is not None:
                UnfinishedUpload(agent.local.directory).abort(agent.store)
            try:
                yield state
            finally:
                agent.local.clean()
            state.write_textfile(len(agent.local.all()))
        except Locked:
            raise
        except (Exception, Stopped) as error:
            failure = explained(error)
            report_failure(agent, state, failure)
            raise failure from error


def report_failure(agent: Agent, state: State, failure: HaplaneError) -> None:
    """Into state, metrics and alarm, each whether or not the others work."""
    try:
        due = state.failed(failure, datetime.now(UTC))
    except Exception as error:  # noqa: BLE001 - a full disk, say: an alarm too many is better than none
        failure.why = f"{failure.why or 'the run failed'}; and its state cannot be written: {error}"
        due = True
    with suppress(Exception):
        state.write_textfile(len(agent.local.all()))
    if due:  # once a run at most, which the timer's interval keeps apart
        sounded = alarm.sound(agent.settings, failure)
        for line in sounded.failures:
            print(json.dumps({"alarm": line}), file=sys.stderr, flush=True)  # noqa: T201
        if sounded.heard:
            with suppress(Exception):
                state.told(datetime.now(UTC))


def until_unlocked(attempt: Callable[[], T], seconds: float) -> T:
    """Repeat ``attempt`` while it raises Locked, for at most so many seconds; raise Locked then."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Locked:
            if time.monotonic() > give_up_at:
                raise
        time.sleep(POLL_SECONDS)


def check(agent: Agent) -> Document:
    """Whether the bucket can be written and read from this host."""
    if agent.store is None:
        return {"s3": None}
    began = time.monotonic()
    agent.store.check(agent.settings.member)
    return {
        "s3": agent.settings.s3.bucket if agent.settings.s3 else None,
        "seconds": round(time.monotonic() - began, 3),
    }


COMMANDS: dict[str, Callable[[Agent], Document]] = {
    "tick": tick, "take": take_now, "check": check,
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code."""
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        command, path = parse(words)
        agent = Agent.of(settings_in(path, runs=command in (tick, take_now)))
        print(json.dumps(command(agent)), flush=True)  # noqa: T201
    except (Exception, Stopped) as error:  # noqa: BLE001 - a message, never a traceback
        failure = explained(error)
        line = {"error": failure.what, **dict(failure.details()), "exit_code": int(failure.exit_code)}
        print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
        return int(failure.exit_code)
    return int(ExitCode.DONE)


def settings_in(path: Path, *, runs: bool) -> AgentSettings:
    """The settings. A run that cannot read them knows no alarm, so it leaves its failure for `haplane status`."""
    try:
        return AgentSettings.from_json(path.read_bytes())
    except (HaplaneError, OSError) as error:
        failure = explained(error)
        if runs and path == Path(SETTINGS):
            with suppress(OSError):
                State(AgentSettings(cluster="", member="", recipients=())).failed(failure, datetime.now(UTC))
        raise failure from error


def parse(words: Sequence[str]) -> tuple[Callable[[Agent], Document], Path]:
    """The command and the settings file of a command line."""
    match list(words):
        case [name] if name in COMMANDS:
            return COMMANDS[name], Path(SETTINGS)
        case [name, "--settings", path] if name in COMMANDS:
            return COMMANDS[name], Path(path)
    raise BadInput("this is not a command of the snapshot agent", next_step=f"use one of {', '.join(COMMANDS)}")


def lower_priority() -> None:
    """As the systemd unit does for the timer; needed for a run by hand. Helpers inherit it."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    processes.attempt(["ionice", "-c", "3", "-p", str(os.getpid())], seconds=5)


def _stop(*_: object) -> NoReturn:
    raise Stopped
