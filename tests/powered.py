"""A cluster in memory whose hosts lose power and boot, and its endpoint as clients see that, by its own clock."""

import base64
import json
from dataclasses import replace
from functools import cache
from urllib.parse import urlsplit

import samples
from fake_api import FakeApi, reply
from fake_cluster import FakeCluster, converged

from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.drills.probing.lanes import State
from haplane.drills.probing.probe import PER_SECOND, configmaps_path, write_body
from haplane.drills.probing.timeline import ENDPOINT_KINDS, Request
from haplane.errors import HaplaneError
from haplane.machines.over_ssh import RESET
from haplane.pki.issue import Usage, issue
from haplane.scripts import script
from haplane.workflows.drill import context_of

RESET_AFTER = 1.0
BOOT_SECONDS = 20.0
FAILOVER_SECONDS, NOTICED_SECONDS, ELECTION_SECONDS = 1.0, 1.5, 1.2
"""Until another load balancer has the address, an API server gets no more requests, another member leads."""
PERIOD = 1 / (PER_SECOND * len(ENDPOINT_KINDS))


@cache
def kubeconfig():
    """An administrator's, as ``kubectl config view`` prints it."""
    authority = samples.identity().kubernetes
    pair = issue(authority, "kubernetes-admin", usages=[Usage.CLIENT], now=samples.NOW)
    ca, certificate, key = (
        base64.b64encode(pem).decode() for pem in (authority.certificate, pair.certificate, pair.private_key)
    )
    return json.dumps(
        {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"certificate-authority-data": ca}}],
            "users": [{"name": "u", "user": {"client-certificate-data": certificate, "client-key-data": key}}],
        }
    ).encode()


class Data(FakeApi):
    """What is written through the endpoint; ``forgotten``: writes that are acknowledged and not kept."""

    def __init__(self):
        super().__init__()
        self.forgotten = set()

    def request(self, method, path, body=None, *, seconds=1.0):
        where = urlsplit(path).path
        if method == "GET" and where.endswith("/configmaps"):
            items = [one for key, one in self.objects.items() if key.startswith(f"{where}/")]
            return reply({"metadata": {}, "items": items})
        if method == "POST" and body["metadata"]["name"] in self.forgotten:
            return reply(body, 201)
        return super().request(method, path, body, seconds=seconds)


class PoweredCluster(FakeCluster):
    """``off`` are hosts without power, ``lost`` since when; m1 leads etcd at first, lb1 has the address.

    ``at(seconds, do)`` happens that much later; ``stays_off`` are hosts that do not boot.
    """

    def __init__(self, inventory):
        super().__init__(inventory, converged(inventory))
        self.data, self.boots = Data(), dict.fromkeys((host.name for host in inventory.hosts), 1)
        self.lost, self.due, self.following = {}, [], []
        self.leader, self.stays_off, self.reset = inventory.etcd[0].name, set(), []

    def drill_context(self, **changes):
        """As the workflow makes it; the endpoint is in memory too."""
        found = context_of(self.inventory, silent, forced=False, executor=self)
        in_memory = {"client": self.data, "probe": self.probe, "watch": lambda: self._follow(Watch(self))}
        return replace(found, **in_memory, **changes)

    def probe(self, namespace):
        return self._follow(Prober(self, namespace))

    def at(self, seconds, do):
        self.due.append((self.clock + seconds, do))

    def sleep(self, seconds):
        ends = self.clock + seconds
        while self.clock < ends:
            self.clock = min(ends, self.clock + PERIOD)
            for moment in [one for one in self.due if one[0] <= self.clock]:
                self.due.remove(moment)
                moment[1]()
            for one in self.following:
                one.tick()

    def run(self, host, *command, deadline_seconds=60):
        self.reached(host)
        match command:
            case ("cat", path) if path == host_paths.BOOT_ID:
                return f"boot-{self.boots[host.name]}\n".encode()
            case ("sh", "-c", text) if text == RESET:
                self.reset.append(host.name)
                self.at(RESET_AFTER, lambda: self.cut_power(host.name))
                return b""
            case ("sh", "-c", text) if text == script("can_delay_packets"):
                raise HaplaneError("a command failed", why="Specified qdisc not found")
            case ("kubectl", *words) if "view" in words:
                return kubeconfig()
        return super().run(host, *command, deadline_seconds=deadline_seconds)

    def cut_power(self, name):
        self.off[name], self.lost[name] = "no response", self.clock
        if name == self.leader:
            self.at(ELECTION_SECONDS, self.elect)
        if name not in self.stays_off:
            self.at(BOOT_SECONDS, lambda: self.boot(name))

    def boot(self, name):
        self.boots[name] += 1
        self.off.pop(name)
        self.lost.pop(name)

    def elect(self, name=None):
        """That member leads, or the first that has power, as soon as one has."""
        members = [host.name for host in self.inventory.etcd]
        powered = [one for one in members if one not in self.off]
        if not powered:
            self.at(ELECTION_SECONDS, self.elect)
            return
        self.leader = name or powered[0]
        for one in members:
            etcd = self.now_reported[one]["etcd"]
            status = etcd["status"] | {"leader": members.index(self.leader) + 1}
            self.now_reported[one]["etcd"] = etcd | {"status": status}

    def serves(self, kind, number):
        """Whether the endpoint answers this request now."""
        masters = [host.name for host in self.inventory.masters]
        if 2 * sum(one not in self.off for one in masters) <= len(masters):
            return False
        for name, since in self.lost.items():
            gone = self.clock - since
            if name == self.inventory.load_balancers[0].name and gone < FAILOVER_SECONDS:
                return False
            if name in masters and gone < NOTICED_SECONDS and masters[number % len(masters)] == name:
                return False
        return not (kind == "write" and self.leader in self.off)

    def _follow(self, one):
        self.following.append(one)
        return one


class Following:
    """In place of a process that writes lines: what it has seen by each tick of the cluster's clock."""

    def __init__(self, cluster):
        self.cluster, self.seen = cluster, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cluster.following.remove(self)

    def lines(self):
        return list(self.seen)

    stop = lines


class Prober(Following):
    """Reads and writes in turn."""

    def __init__(self, cluster, namespace):
        super().__init__(cluster)
        self.path, self.sent = configmaps_path(namespace), 0

    def tick(self):
        number, turn = divmod(self.sent, len(ENDPOINT_KINDS))
        kind, now = ENDPOINT_KINDS[turn], self.cluster.clock
        self.sent += 1
        ok = self.cluster.serves(kind, number)
        if ok and kind == "write":
            self.cluster.data.request("POST", self.path, write_body(number))
        self.seen.append(Request(kind, number, now, now, now + PERIOD / 10, ok, 200 if ok else None))


class Watch(Following):
    """A state of every part whenever it changes."""

    def __init__(self, cluster):
        super().__init__(cluster)
        self.known = {}

    def tick(self):
        cluster = self.cluster
        for host in cluster.inventory.masters:
            on = host.name not in cluster.off
            view = {"member": host.name, "leader": cluster.leader, "term": "2", "version": "3.6.16"}
            for lane, value in (("readyz", on), ("node", on), ("etcd", view if on else None)):
                if self.known.get((lane, host.name), ...) != value:
                    self.known[lane, host.name] = value
                    self.seen.append(State(lane, host.name, cluster.clock, value))
