"""Every host of the inventory, asked once and all at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from haplane.bundle.manifest import BundleFile, Manifest
from haplane.checks.connection import connect
from haplane.checks.questions import questions
from haplane.checks.survey import CannotAnswer, Connection, Node, Survey, take_survey
from haplane.config.model import Host, Inventory


@dataclass(frozen=True)
class Machine:
    """A host of the inventory that answered: what it said, and a way to ask it more."""

    host: Host
    roles: tuple[str, ...]
    connection: Connection
    survey: Survey

    @property
    def name(self) -> str:
        """Its name in the inventory."""
        return self.host.name

    def bundled(self, manifest: Manifest) -> tuple[BundleFile, ...]:
        """The bundle's files it must have; image archives may go once they are imported."""
        return bundled(manifest, self.roles)


@dataclass(frozen=True)
class Fleet:
    """Every host once: those that answered, and why the others did not, by name."""

    machines: dict[str, Machine]
    silent: dict[str, str]

    def nodes(self) -> tuple[Node, ...]:
        """The cluster's nodes as told by any API server, one that knows the most first; empty when none answers."""
        lists = [machine.survey.documents.nodes for machine in self.machines.values()]
        return max((told.items for told in lists if told is not None), key=len, default=())

    def kubelet(self, node: str) -> Mapping[str, object] | None:
        """The running configuration of that node's kubelet as told by any master; None when nobody tells."""
        answers = (machine.survey.kubelets.get(node) for machine in self.machines.values())
        told = next((answer for answer in answers if answer is not None), {})
        found = told.get("kubeletconfig")
        return found if isinstance(found, dict) else None


def ask_everyone(inventory: Inventory, manifest: Manifest | None) -> Fleet:
    """The fleet as it is now."""

    def ask(host: Host) -> Machine | str:
        roles = inventory.roles(host)
        hashed = [] if manifest is None else [file.path for file in bundled(manifest, roles)]
        connection = connect(host)
        try:
            return Machine(host, roles, connection, take_survey(connection, questions(inventory, host, hashed)))
        except CannotAnswer as reason:
            return str(reason)

    with ThreadPoolExecutor(len(inventory.hosts)) as pool:
        answers = dict(zip(inventory.hosts, pool.map(ask, inventory.hosts), strict=True))
    return Fleet(
        machines={host.name: answer for host, answer in answers.items() if isinstance(answer, Machine)},
        silent={host.name: answer for host, answer in answers.items() if isinstance(answer, str)},
    )


def bundled(manifest: Manifest, roles: tuple[str, ...]) -> tuple[BundleFile, ...]:
    """The bundle's plain files for a host with these roles."""
    return tuple(file for file in manifest.files if set(roles).intersection(file.roles))
