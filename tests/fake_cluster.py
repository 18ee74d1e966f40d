"""A cluster in memory behind the executor: its hosts change when a recipe is carried out, and in no other way.

Every host starts with nothing and ends as ``samples.converged`` has it; each recipe brings its part of that, or takes
it away. ``fails`` maps the number of a deploy to what happens instead of it. While a member or an API server is away
by our hand, ``away`` says so; that never more than one is, is asserted at every step.
"""

import pickle
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from types import SimpleNamespace

import samples
from contexts import FakeExecutor
from fake_etcd import Etcd

from haplane.domain import host_paths
from haplane.domain.answers import Gathered
from haplane.domain.observed import HostReport
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.errors import HaplaneError, Unreachable

ETCD_CA = {host_paths.ETCD_CA_CRT: samples.identity().etcd.certificate.decode()}
BALANCER_UNITS = ("haproxy", "haplane-vrrp", "keepalived", "nftables")


class Killed(Exception):
    """The run ends here, as by SIGKILL."""


@cache
def digests():
    """Of the cluster's keys and certificates, by path."""
    found = {path: sha256(content).hexdigest() for path, content in samples.identity().to_files().items()}
    return found | {host_paths.ETCD_MEMBER_CA_CRT: found[host_paths.ETCD_CA_CRT]}


def converged(inventory):
    """As every host should be, with the cluster's identity on the masters."""
    found = {name: report.model_dump(by_alias=True) for name, report in samples.converged(inventory).reports.items()}
    for report in found.values():
        report["files"] |= {
            path: file | {"sha256": digests()[path]} for path, file in report["files"].items() if path in digests()
        }
    for host in inventory.masters:
        found[host.name]["certificates"] |= ETCD_CA
    return found


def nothing(inventory):
    """Hosts as they are installed."""
    return {name: report.model_dump(by_alias=True) for name, report in samples.fresh(inventory).reports.items()}


@lru_cache(maxsize=64)
def parsed(pickled):
    """Most reports are the same from one look to the next, and to be sure of that costs a quarter of parsing them."""
    return HostReport.model_validate(pickle.loads(pickled))


class FakeCluster(Etcd, FakeExecutor):
    """``now`` are the hosts' reports, ``wanted`` what they become, ``off`` those that do not answer."""

    def __init__(self, inventory, now=None, wanted=None, fails=None):
        super().__init__()
        self.inventory = inventory
        self.wanted = wanted or converged(inventory)
        self.now_reported = now if now is not None else nothing(inventory)
        self.off, self.away, self.fails = {}, set(), dict(fails or {})
        self.count, self.switched = 0, []
        self.contacts, self.lost_at, self.databases = 0, (None, None), {}
        self.labelled = {node["name"] for master in self._serving() for node in self._nodes(master) if node["labels"]}

    def observe(self, hosts, request):
        for host in hosts:
            with suppress(Unreachable):
                self.reached(host)
        for master in self._serving():
            self.now_reported[master]["kubernetes"]["nodes"] = self._joined()
        seconds = self.now().timestamp()
        moment = {"started_at": seconds, "finished_at": seconds}
        reached = [host.name for host in hosts if host.name not in self.off]
        reports = {name: parsed(pickle.dumps(self.now_reported[name])).model_copy(update=moment) for name in reached}
        return Gathered(reports, {host.name: self.off[host.name] for host in hosts if host.name in self.off})

    def reach(self, hosts, request):
        return Gathered()

    def deploy(self, hosts, recipe, **arguments):
        if not hosts:
            return
        super().deploy(hosts, recipe, **arguments)
        self.count += 1
        if failure := self.fails.pop(self.count, None):
            raise failure
        gone = None
        for host in hosts:
            self.command()
            try:
                self.reached(host)
            except Unreachable as error:
                gone = error
                continue
            effect = getattr(self, f"_{recipe._inner.__name__}", None)
            if effect is not None:
                effect(host.name, arguments)
        assert len(self.away) <= 1, f"{self.away} are out of service at once"
        if gone is not None:
            raise gone

    def command(self):
        """One more on a host is about to begin."""

    def push(self, host, bundle, files, here=None):
        return SimpleNamespace(host=host, wait=lambda: self._arrive(host))

    def read_files(self, host, paths):
        self.reached(host)
        known = samples.identity().to_files() if host in self.inventory.masters else {}
        return {path: known[path] for path in paths if path in known}

    def stored_snapshots(self, member, directory):
        raise NotImplementedError("snapshotting.py has a cluster that keeps some")

    def reached(self, host):
        """Raises what the host's silence is to whoever contacts it, which it begins at the contact ``lost_at``."""
        self.contacts += 1
        if self.contacts == self.lost_at[0]:
            self.off[self.lost_at[1]] = "no response"
        if host.name in self.off:
            raise Unreachable(f"{host.name} cannot be reached", why=self.off[host.name])

    def run(self, host, *command, deadline_seconds=60):
        self.reached(host)
        if command[0] == "cat":
            found = self.read_files(host, command[1:])
            if not found:
                raise HaplaneError(f"a command failed on {host.name}", why="No such file or directory")
            return found[command[1]]
        words = "kubeadm join 10.0.0.10:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:"
        return f"{words}{'0' * 64}\n".encode()

    def endpoint_is_ready(self, inventory):
        return any(self.now_reported[host.name]["apiserver"]["ready"] for host in inventory.masters)

    def take(self, name, *fields):
        """These parts of the report as they should be."""
        for field in fields:
            self.now_reported[name][field] = self.wanted[name][field]

    def units(self, name, *names):
        """These units run."""
        wanted = self.wanted[name]["units"]
        self.now_reported[name]["units"] |= {unit: wanted[unit] for unit in names if unit in wanted}

    def _arrive(self, host):
        self.reached(host)
        name = host.name
        self.take(name, "bundle")
        if self.now_reported[name]["images"] is not None:
            self.take(name, "images")

    def _prepare_host(self, name, arguments):
        wanted = self.wanted[name]
        made = set(MASTER_EVIDENCE)
        files = {path: file for path, file in wanted["files"].items() if path not in made}
        self.now_reported[name]["files"] |= files
        self.now_reported[name]["certificates"] |= {
            path: pem for path, pem in wanted["certificates"].items() if path in ETCD_CA
        }
        stopped = {"active": False, "enabled": False, "needs_reload": False}
        for package in arguments["packages_of"].get(name, ()):
            self.now_reported[name]["units"].setdefault(package, stopped)

    def _start_runtime(self, name, arguments):
        self.units(name, "containerd")
        self.take(name, "bundle", "images")

    def _start_balancer(self, name, arguments):
        self.units(name, *BALANCER_UNITS)
        self.take(name, "balancer")

    def _initialise_master(self, name, arguments):
        wanted = self.wanted[name]
        evidence = {path: file for path, file in wanted["files"].items() if path in MASTER_EVIDENCE}
        self.now_reported[name]["files"] |= evidence
        self.units(name, "kubelet")
        self.take(name, "apiserver", "components", "kubernetes", "workloads", "certificates", "settings", "made")
        kubernetes = dict(wanted["kubernetes"])
        self.now_reported[name]["kubernetes"] = kubernetes | {"objects": [], "applied": None, "nodes": []}

    def _joined(self):
        """The Nodes of hosts that have a kubelet's kubeconfig, labelled or not."""
        return [
            node if node["name"] in self.labelled else node | {"labels": [], "taints": []}
            for node in self.wanted["m1"]["kubernetes"]["nodes"]
            if host_paths.KUBELET_KUBECONFIG in self.now_reported[node["name"]]["files"]
        ]

    def _start_kubelet(self, name, arguments):
        self.units(name, "kubelet")

    def _apply_cluster(self, name, arguments):
        for master in self._serving():
            self.now_reported[master]["kubernetes"]["objects"] = self.wanted[master]["kubernetes"]["objects"]
            self.now_reported[master]["kubernetes"]["applied"] = self.wanted[master]["kubernetes"]["applied"]

    def _serving(self):
        return [host.name for host in self.inventory.masters if self.now_reported[host.name]["kubernetes"]]

    def _nodes(self, master):
        return self.now_reported[master]["kubernetes"]["nodes"]

    def _label_masters(self, name, arguments):
        self.labelled |= set(arguments["nodes"])

    def _label_made(self, name, arguments):
        self.labelled |= set(arguments["nodes"])

    def _join_worker(self, name, arguments):
        self.take(name, "files", "certificates", "made")
        self.units(name, "kubelet")

    def _drain_server(self, name, arguments):
        self.away.add(arguments["server"].rpartition("/")[2])

    def _undrain_server(self, name, arguments):
        self.away.discard(arguments["server"].rpartition("/")[2])

    def _take_out_control_plane(self, name, arguments):
        self.away.add(name)
        self.now_reported[name]["apiserver"] = {"ready": False}

    def _put_back_control_plane(self, name, arguments):
        self.take(name, "apiserver")

    def _restart_control_plane(self, name, arguments):
        others = [host.name for host in self.inventory.masters if host.name != name]
        assert any(self.now_reported[one]["apiserver"]["ready"] and one not in self.off for one in others)
        self.take(name, "apiserver", "files")

    def _reset_host(self, name, arguments):
        self.now_reported[name] = nothing(self.inventory)[name]
