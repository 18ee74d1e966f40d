"""The facts of every host of the inventory, gathered once and from all hosts at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from haplane.bundle.command import build_for
from haplane.bundle.manifest import BundleFile, Manifest, bundle_directory, load_manifest
from haplane.checks.connection import Attempt, connect
from haplane.checks.host_facts import Connection, HostFacts, NoAnswer, gather_facts
from haplane.checks.probes import probes_for
from haplane.config.model import Host, Inventory
from haplane.domain.observed import Node
from haplane.errors import BadInput
from haplane.remote import openssh
from haplane.threads import Threads


@dataclass(frozen=True)
class Machine:
    """A host of the inventory that answered: its facts, and a connection for more."""

    host: Host
    roles: tuple[str, ...]
    connection: Connection
    facts: HostFacts

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
    unreachable: dict[str, str]

    def nodes(self) -> tuple[Node, ...]:
        """The nodes that a majority of the API servers reports; Ready only where a majority reports that as well."""
        lists = [machine.facts.documents.nodes for machine in self._masters()]
        views = [{node.name: node for node in found} for found in lists if found is not None]
        names = Counter(name for view in views for name in view)
        return tuple(
            _agreed([view[name] for view in views if name in view], len(views))
            for name, votes in names.items()
            if 2 * votes > len(views)
        )

    def _masters(self) -> list[Machine]:
        """Only masters can know the API's objects."""
        return [machine for machine in self.machines.values() if "master" in machine.roles]

    def kubelet(self, node: str) -> Mapping[str, object] | None:
        """The running configuration of that node's kubelet as any master reports it; None when none does."""
        answers = (machine.facts.kubelets.get(node) for machine in self._masters())
        reported = next((answer for answer in answers if answer is not None), {})
        found = reported.get("kubeletconfig")
        return found if isinstance(found, dict) else None


class Gathered(BaseModel):
    """A fleet without its connections."""

    facts: dict[str, HostFacts]
    unreachable: dict[str, str]


def _agreed(views: Sequence[Node], voters: int) -> Node:
    """One of the views that most have, of those that are Ready only when more than half are."""
    ready = [node for node in views if node.ready]
    chosen = ready if 2 * len(ready) > voters else [node for node in views if not node.ready] or ready
    counted = Counter(node.model_dump_json() for node in chosen)
    return max(chosen, key=lambda node: counted[node.model_dump_json()])


def bundle_of(inventory: Inventory) -> Manifest | BadInput:
    """The bundle's manifest, or why there is none on this machine: the cluster may have been made from another."""
    directory = bundle_directory(inventory.cluster.bundle, inventory.cluster.kubernetes_version)
    try:
        return load_manifest(directory, build_for(inventory))
    except BadInput as error:
        return error


def gather_fleet(inventory: Inventory, attempt: Attempt = openssh.attempt) -> Fleet:
    """The fleet as it is now, by one command on every host."""
    manifest = bundle_of(inventory)

    def gather(host: Host) -> Machine | str:
        roles = inventory.roles(host)
        hashed = [] if isinstance(manifest, BadInput) else [file.path for file in bundled(manifest, roles)]
        connection = connect(host, attempt)
        try:
            return Machine(host, roles, connection, gather_facts(connection, probes_for(inventory, host, hashed)))
        except NoAnswer as reason:
            return str(reason)

    with Threads(len(inventory.hosts)) as pool:
        answers = dict(zip(inventory.hosts, pool.map(gather, inventory.hosts), strict=True))
    return Fleet(
        machines={host.name: answer for host, answer in answers.items() if isinstance(answer, Machine)},
        unreachable={host.name: answer for host, answer in answers.items() if isinstance(answer, str)},
    )


def to_json(fleet: Fleet) -> str:
    """The facts, for the process that compares them."""
    facts = {name: machine.facts for name, machine in fleet.machines.items()}
    return Gathered(facts=facts, unreachable=fleet.unreachable).model_dump_json(by_alias=True)


def from_json(inventory: Inventory, text: str) -> Fleet:
    """What :func:`to_json` made, in the process that compares; each host has a connection for more."""
    gathered = Gathered.model_validate_json(text)
    hosts = {host.name: host for host in inventory.hosts}
    return Fleet(
        machines={
            name: Machine(hosts[name], inventory.roles(hosts[name]), connect(hosts[name]), facts)
            for name, facts in gathered.facts.items()
        },
        unreachable=gathered.unreachable,
    )


def bundled(manifest: Manifest, roles: tuple[str, ...]) -> tuple[BundleFile, ...]:
    """The bundle's plain files for a host with these roles."""
    return tuple(file for file in manifest.files if set(roles).intersection(file.roles))
