"""The cluster's own pods: those that crash again and again, run out of memory, or do not go."""

from __future__ import annotations

from typing import Any

from haplane.facts.on_host.kubernetes import MOST_TEXT
from haplane.facts.on_host.pods import BACK_OFF_SECONDS, seconds_since
from haplane.facts.on_host.trials import full_name

RESTARTS, HEALTHY_SECONDS = 5, 300.0
"""A container that ended as often, and ran for less than that before and since, crashes again and again.

Two reboots of its node and one end that somebody else caused are three, and no loop.
"""
LEADING_SECONDS = 120.0
"""The same for the control plane, whose containers end whenever they lose their lease or their etcd for a moment."""
LOST, KILLED = 255, 137
"""Exit codes of a container whose end nobody saw, as its host went down, and of one that somebody killed."""
OUT_OF_MEMORY = "OOMKilled"
LINGERING_SECONDS = 120.0
"""So long a pod may take to go when its grace period is over."""
OUR_APPS = ("kube-dns", "kube-proxy")


def crashing_pods(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Name, node, and how often and by what a container of theirs ended; one that is not ready is found by that."""
    found = []
    for item in pods:
        for one in item.get("status", {}).get("containerStatuses", []) if is_own(item) else ():
            ended, running = one.get("lastState", {}).get("terminated"), one.get("state", {}).get("running")
            if ended and running and one.get("ready") and (is_out_of_memory(ended) or often(item, one)):
                times = one.get("restartCount", 0)
                why = f"{one['name']} ended {times} time{'' if times == 1 else 's'}, last with {ended.get('reason')}"
                node = str(item["spec"].get("nodeName", ""))
                found.append(
                    {"name": full_name(item), "node": node, "why": f"{why}, exit {ended['exitCode']}"[:MOST_TEXT]}
                )
    return found


def is_own(item: dict[str, Any]) -> bool:
    """Whether haplane or kubeadm made it: kube-system has others' pods too."""
    labels = item["metadata"].get("labels") or {}
    ours = labels.get("k8s-app") in OUR_APPS or labels.get("tier") == "control-plane"
    return ours or item["metadata"]["namespace"] == "kube-flannel"


def is_out_of_memory(ended: dict[str, Any]) -> bool:
    """Whether it was, not long ago: it will be again."""
    return ended.get("reason") == OUT_OF_MEMORY and seconds_since(ended["finishedAt"]) < BACK_OFF_SECONDS


def often(item: dict[str, Any], container: dict[str, Any]) -> bool:
    """Whether a container's last run was short and ended badly, as others before, and the one since is young."""
    ended, running = container["lastState"]["terminated"], container["state"]["running"]
    leads = (item["metadata"].get("labels") or {}).get("tier") == "control-plane"
    short = LEADING_SECONDS if leads else HEALTHY_SECONDS
    if container.get("restartCount", 0) < RESTARTS or ended["exitCode"] in (0, LOST, *((KILLED,) if leads else ())):
        return False
    lasted = seconds_since(ended["startedAt"]) - seconds_since(ended["finishedAt"])
    return lasted < short and seconds_since(running["startedAt"]) < short


def lingering_pods(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose grace period ended more than LINGERING_SECONDS ago, and the finalizers that hold them."""
    return [
        {
            "name": full_name(item),
            "node": str(item["spec"].get("nodeName", "")),
            "held": [str(one)[:MOST_TEXT] for one in item["metadata"].get("finalizers", [])][:5],
        }
        for item in pods
        if "deletionTimestamp" in item["metadata"]
        and seconds_since(item["metadata"]["deletionTimestamp"]) > LINGERING_SECONDS
    ]
