"""Which one host's report keeps `up` from going on. A failure then ends with the command that goes on without it.

No refusal has to know this: the looks are repeated on what was reported, without one host after the other. One that
lies, or is broken, must not keep a cluster that is whole without it from being repaired.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain.answers import Gathered
from haplane.domain.clocks import Window
from haplane.domain.observed import Observation
from haplane.domain.progress import silent
from haplane.domain.quorum import has_quorum
from haplane.errors import HaplaneError, Locked, Several
from haplane.executor import Executor, Observer


class StillHosts:
    """Hosts that go on reporting what they reported within ``window``, and a clock that only waiting moves on.

    What looks read besides reports is still read on the hosts.
    """

    progress = staticmethod(silent)

    def __init__(self, reported: Observation, window: Window, executor: Observer) -> None:
        self._reported, self._window, self._passed = reported, window, 0.0
        self.run, self.read_files, self.fetch_output = executor.run, executor.read_files, executor.fetch_output
        self.stored_snapshots, self.endpoint_is_ready = executor.stored_snapshots, executor.endpoint_is_ready

    def now(self) -> datetime:
        """The window's beginning, and what has passed since."""
        return datetime.fromtimestamp(self._window.asked_at + self._passed, UTC)

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Nothing is waited for."""
        self._passed += seconds

    def observe(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        """As before, at another time."""
        shift = self._passed
        self._passed += self._window.answered_at - self._window.asked_at
        reports = {
            name: report.model_copy(
                update={"started_at": report.started_at + shift, "finished_at": report.finished_at + shift}
            )
            for name, report in self._reported.reports.items()
        }
        return Gathered(reports, dict(self._reported.unreachable))

    def reach(self, hosts: Sequence[Host], request: Mapping[str, object]) -> Gathered:
        """No host is connected to."""
        return Gathered()


def offer(error: HaplaneError, context: Context, looks: Sequence[Look], command: str) -> None:
    """Add to ``error``, which ended the run of that command, how to go on without the one host that is in the way.

    Where ``looks`` did not end it, only a host that the error names can be. Several are offered where any one may be.
    """
    names = [host.name for host in context.inventory.everyone if host.name in context.observation.reports]
    if context.result.changed or isinstance(error, Locked) or (names and _goes_on_without(context, looks)):
        names = [name for name in names if _names(error.where, name)]
    offered = [name for name in names if name != context.request.repaired and _goes_on_without(context, looks, name)]
    if offered:
        commands = " or ".join(f"`{command} --without {name}`" for name in offered)
        which = offered[0] if len(offered) == 1 else "the one whose report is wrong"
        _about(error, offered).add_next_step(f"or go on without {which}: {commands}")


def _about(error: HaplaneError, hosts: Sequence[str]) -> HaplaneError:
    """The whole error, or where it has problems of others too, the first that names one of the hosts."""
    problems = error.problems if isinstance(error, Several) else ()
    named = [one for one in problems if any(_names(f"{one.what} {one.where}", name) for name in hosts)]
    return named[0] if 0 < len(named) < len(problems) else error


def _names(text: str | None, host: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])", text or "") is not None


def _goes_on_without(context: Context, looks: Sequence[Look], *names: str) -> bool:
    """Whether a plan would be made, and a majority of masters and etcd hosts be left to carry it out."""
    request = replace(context.request, without=(*context.request.without, *names))
    still: Observer = StillHosts(context.view.reported, context.view.window, context.executor)
    trial = Context(request, cast("Executor", still))
    try:
        for look in looks:
            look.carry_out(trial)
    except HaplaneError:
        return False
    voters = {host.name for host in context.inventory.masters + context.inventory.etcd}
    return has_quorum(len(voters), len(voters & trial.observation.reports.keys()))
