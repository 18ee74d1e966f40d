"""What phases are given: the run's request, view, decision and result, and the executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from haplane.bundle.manifest import Manifest
from haplane.config.model import Host, Inventory
from haplane.context.decision import Decision
from haplane.context.request import Request
from haplane.context.result import Result
from haplane.context.view import View
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import Kind, Plan, Wants
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError
from haplane.executor import Executor, HeldLock


class Context:
    """One run of a verb.

    A phase that looks again replaces the view by :meth:`see`, one that decides the decision by :meth:`adopt`; neither
    is ever changed in place. ``resources`` are given back when the verb ends.
    """

    def __init__(
        self, request: Request, executor: Executor, view: View | None = None, decision: Decision | None = None
    ) -> None:
        self.executor = executor
        self.result = Result()
        self.resources = ExitStack()
        self._request = request
        self._view = view or View()
        self._decision = decision or Decision()
        self._lock: HeldLock | None = None
        self._unlocked = request.inventory

    @property
    def request(self) -> Request:
        """What the user asked for."""
        return self._request

    @property
    def view(self) -> View:
        """What is known."""
        return self._view

    @property
    def decision(self) -> Decision:
        """What is going to be done."""
        return self._decision

    def see(self, view: View) -> None:
        """Replace what is known."""
        self._view = view

    def adopt(self, decision: Decision) -> None:
        """Replace what is going to be done."""
        self._decision = decision

    def hold(self, lock: HeldLock) -> None:
        """From now on every command goes through the shell of the lock's inventory: it ends with the lock."""
        self._lock, self._unlocked = lock, self._request.inventory
        self._request = replace(self._request, inventory=lock.inventory)

    def let_go(self) -> None:
        """The lock is about to be released: what is asked of hosts afterwards goes to them as before it."""
        self._lock = None
        self._request = replace(self._request, inventory=self._unlocked)

    @property
    def lock(self) -> HeldLock:
        """The cluster's. Raises HaplaneError while it is not held."""
        if self._lock is None:
            raise HaplaneError("internal error: the cluster's lock is not held", next_step="please report it")
        return self._lock

    def pursue(self, request: Request) -> None:
        """Replace what is asked for: an upgrade goes through versions that the user did not name."""
        self._request = request

    @property
    def inventory(self) -> Inventory:
        """What the cluster should be."""
        return self._request.inventory

    @property
    def manifest(self) -> Manifest:
        """The bundle's. Raises HaplaneError for a verb that only looks."""
        return self._request.required_manifest

    @property
    def observation(self) -> Observation:
        """What the hosts reported."""
        return self._view.observation

    @property
    def plan(self) -> Plan:
        """The steps to carry out."""
        return self._decision.plan

    @property
    def wants(self) -> Mapping[str, Wants]:
        """What each host that answered should be."""
        return self._decision.wants

    @property
    def progress(self) -> Progress:
        """Tells the user where the run is."""
        return self.executor.progress

    def now(self) -> datetime:
        """The controller's clock, in UTC."""
        return self.executor.now()

    def deploy(self, hosts: Sequence[Host], recipe: Callable[..., object], **arguments: object) -> None:
        """Run one recipe on all of these hosts at once."""
        self.executor.deploy(hosts, recipe, **arguments)

    def report(self, host: Host) -> HostReport:
        """What the host reported. Raises KeyError when it did not answer."""
        return self._view.report(host)

    def reachable(self, hosts: Sequence[Host]) -> list[Host]:
        """Those of ``hosts`` that answered."""
        return self._view.reachable(hosts)

    def hosts(self, *kinds: Kind) -> list[Host]:
        """The hosts that have a step of these kinds, in the inventory's order."""
        named = self.plan.hosts(*kinds)
        return [host for host in self.inventory.everyone if host.name in named]

    def paths(self, hosts: Sequence[Host], part: Part) -> dict[str, tuple[str, ...]]:
        """By host, the files of that part which it should have."""
        return {
            host.name: tuple(file.path for file in self.wants[host.name].files if file.part is part) for host in hosts
        }

    def some_master(self) -> Host:
        """Any master that answered, rather one with a ready API server and admin.conf: none is special."""
        found = self.reachable(self.inventory.masters)
        if not found:
            raise HaplaneError("no master is reachable", next_step="start one and run again")
        return max(found, key=self._serves)

    def _serves(self, host: Host) -> tuple[bool, bool]:
        report = self.report(host)
        return report.apiserver.ready, host_paths.ADMIN_KUBECONFIG in report.files

    def has_ready_api_server(self) -> bool:
        """Whether one was ready when the hosts were last observed."""
        return any(self.report(host).apiserver.ready for host in self.reachable(self.inventory.masters))
