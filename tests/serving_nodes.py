"""A cluster in memory whose nodes have pods, are cordoned and drained, and boot."""

import json

import zoo
from fake_cluster import FakeCluster, converged

from haplane.domain import host_paths
from haplane.errors import HaplaneError
from haplane.procedures import node_api

DAEMON = zoo.owner("DaemonSet", "net")
WEB = zoo.owner("ReplicaSet", "web")
APP = {"app": "web"}


class Nodes(FakeCluster):
    """With pods, and hosts that boot. ``log`` is what was done to which host, in its order.

    ``left`` are the pods that there were when a recipe was last carried out.
    """

    def __init__(self, inventory, pods=(), **lists):
        super().__init__(inventory, converged(inventory))
        self.pods = [*pods, *(zoo.pod(f"net-{host.name}", DAEMON, on=host.name) for host in inventory.nodes)]
        self.nodes = {host.name: zoo.node(host.name) for host in inventory.nodes}
        self.lists = {"owners": [zoo.owned("DaemonSet", "net"), zoo.owned("ReplicaSet", "web")], **lists}
        self.boots = dict.fromkeys((host.name for host in inventory.everyone), 1)
        self.log, self.stuck, self.dead, self.upgraded = [], set(), set(), ""
        self.unready, self.upgrading_fails, self.left = set(), "", {}

    def _joined(self):
        return [one | {"ready": one["name"] not in self.unready} for one in super()._joined()]

    def run(self, host, *command, deadline_seconds=60):
        self.reached(host)
        if command[:1] == ("python3",):
            return json.dumps(getattr(self, f"_api_{command[5]}")(*command[6:])).encode()
        if command == ("cat", host_paths.BOOT_ID):
            if host.name in self.dead:
                raise HaplaneError("no response")
            return f"boot-{self.boots[host.name]}\n".encode()
        if command[0] == "systemctl":
            return self._reboot(host.name)
        if command[:2] == ("sh", "-c") and "apt-get" in command[2]:
            if self.upgrading_fails:
                raise HaplaneError(self.upgrading_fails)
            self.log.append(("upgrade", host.name))
            return self.upgraded.encode()
        return super().run(host, *command, deadline_seconds=deadline_seconds)

    def deploy(self, hosts, recipe, **arguments):
        self.log += [(recipe._inner.__name__, host.name) for host in hosts]
        self.left[recipe._inner.__name__] = self.pods
        super().deploy(hosts, recipe, **arguments)

    def done_to(self, name):
        return [what for what, host in self.log if host == name]

    def cordoned(self):
        return [name for name, one in self.nodes.items() if one["spec"]["unschedulable"]]

    def _reboot(self, name):
        self.log.append(("reboot", name))
        self.boots[name] += 1
        if name in self.nodes:
            self.nodes[name]["status"]["nodeInfo"]["bootID"] = f"boot-{self.boots[name]}"
        for pod in self.pods:
            if pod["spec"]["nodeName"] == name:
                pod["status"]["containerStatuses"][0]["containerID"] += "'"
        if name in self.stuck:
            self.dead.add(name)
        elif name in self.now_reported and "apiserver" in self.now_reported[name]:
            self.take(name, "apiserver")
        return b""

    def _let_boot_start(self, name, arguments):
        self.now_reported[name]["apiserver"] = {"ready": False}

    def _api_read(self, *nodes):
        return {"pods": self.pods, "nodes": list(self.nodes.values()), **self.lists}

    def _api_look(self, name):
        return {"pods": [one for one in self.pods if one["spec"]["nodeName"] == name], "nodes": [self.nodes[name]]}

    def _api_cordon(self, name, verb):
        if not self.nodes[name]["spec"]["unschedulable"]:
            self.nodes[name]["spec"]["unschedulable"] = True
            self.nodes[name]["metadata"]["annotations"] = {node_api.CORDONED: verb}
        return {}

    def _api_uncordon(self, name):
        self.nodes[name]["spec"]["unschedulable"] = False
        self.nodes[name]["metadata"].pop("annotations", None)
        return {}

    def _api_evict(self, pods):
        named = {uid for _, _, uid in json.loads(pods)}
        refused = {uid: "HTTP 429: budget" for uid in named if uid in self.stuck}
        self.pods = [one for one in self.pods if one["metadata"]["uid"] not in named - set(refused)]
        return refused


def replicas(*nodes, **changed):
    return [zoo.pod(f"web-{name}", WEB, on=name, labels=APP, **changed) for name in nodes]
