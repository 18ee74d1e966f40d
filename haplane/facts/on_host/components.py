"""The scheduler and the controller manager of this master, and what the kubelet here runs beside its manifests."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import os
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from haplane.facts.on_host.kubernetes import ADMIN_CONF, LEASES, NO_ANSWER, ask
from haplane.facts.on_host.probe import TlsConnection, read
from haplane.facts.on_host.static_pods import PROC, system_pod_processes

MANIFEST_DIRECTORY = "/etc/kubernetes/manifests"
HEALTH_PORTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
KUBECONFIGS = {
    "kube-controller-manager": "/etc/kubernetes/controller-manager.conf",
    "kube-scheduler": "/etc/kubernetes/scheduler.conf",
}
STATIC_PODS = ("kube-apiserver", *HEALTH_PORTS)
CONFLICTING = re.compile(
    r"^[\s-]*(?:name|component): *[\"']?(kube-apiserver|kube-controller-manager|kube-scheduler|etcd)\b", re.M
)
ANY_NODE = "/api/v1/nodes?limit=1"
MOST_CHARACTERS = 400
START_TICKS = 19
"""Of /proc/PID/stat behind the name: when it started, in ticks since the boot."""
PATIENCE = 5.0
"""Seconds: a busy host is not a broken one."""


def components() -> dict[str, Any]:
    """By name of the static pods haplane has made here; empty on a host that is no master."""
    here = [name for name in STATIC_PODS if os.path.exists(f"{MANIFEST_DIRECTORY}/{name}.yaml")]
    if not here:
        return {"of": {}, "conflicts": {}}
    gone = [name for name in HEALTH_PORTS if name not in here]
    processes = {name: system_pod_processes(name) for name in here}
    with concurrent.futures.ThreadPoolExecutor(2 * len(here)) as pool:
        healths = {name: pool.submit(health, name) for name in here if name in HEALTH_PORTS}
        reaches = {name: pool.submit(reach, name) for name in here if name in HEALTH_PORTS}
    return {
        "of": {
            name: {
                "unhealthy": healths[name].result() if name in healths else None,
                "unserved": reaches[name].result() if name in reaches else None,
                "server": server_of(read(KUBECONFIGS.get(name, "")) or ""),
                "differing": differing(
                    name, [words for one in processes[name] if (words := arguments_of(one, name))]
                ),
                "started_at": min((started_at(one) for one in processes[name]), default=0),
            }
            for name in here
        }
        | {name: {"unhealthy": f"{MANIFEST_DIRECTORY}/{name}.yaml is missing"} for name in gone},
        "conflicts": conflicting_manifests(),
    }


def health(component: str) -> str | None:
    """What is wrong with its own /healthz; None when it answers "ok"."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only its status counts
    connection = TlsConnection("127.0.0.1", HEALTH_PORTS[component], context=context, timeout=PATIENCE)
    try:
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            return None if answer.status == 200 else f"HTTP {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)[:MOST_CHARACTERS]


def reach(component: str) -> str | None:
    """Why its kubeconfig does not get it to an API server, tried as the component does it; None when it does.

    A wrong address, an expired certificate, one of another CA and a lost permission all look like this. The lease is
    given by a Role of its own, all else by a ClusterRole, which somebody may have deleted.
    """
    config = read(KUBECONFIGS[component])
    if config is None:
        return f"{KUBECONFIGS[component]} is missing"
    server = server_of(config)
    if not server:
        return f"{KUBECONFIGS[component]} names no API server"
    try:
        place = urlsplit(server)
        address, port = place.hostname or "", place.port or 443
        socket.create_connection((address, port), timeout=PATIENCE).close()
        ask_as_it_does(address, port, config, [LEASES + component, ANY_NODE])
    except NO_ANSWER as error:
        why = str(error).removeprefix(f"{LEASES}{component}: ").removeprefix(f"{ANY_NODE}: ") or type(error).__name__
        return f"{server}: {why}"[:MOST_CHARACTERS]
    return None


def ask_as_it_does(address: str, port: int, config: str, paths: list[str]) -> None:
    """Raises what keeps an API server that listens there from answering, but that it is busy: /readyz shows that."""
    with contextlib.suppress(TimeoutError):
        ask(port, config, paths, address=address, seconds=PATIENCE)


def servers() -> dict[str, str]:
    """Kubeconfigs of nodes and masters that are there, by path -> the API server that each names."""
    found = {path: read(path) for path in ("/etc/kubernetes/kubelet.conf", ADMIN_CONF)}
    return {path: server_of(text) for path, text in found.items() if text is not None}


def server_of(config: str) -> str:
    """The API server that a kubeconfig names, "" when it names none."""
    found = re.search(r"^[\s-]*server: *[\"']?([^\s\"']+)", config, re.M)
    return found.group(1)[:MOST_CHARACTERS] if found else ""


def arguments_of(process: int, component: str) -> list[str]:
    """What a process was started with, without its program; nothing where that is not the component, but not yet."""
    program, *words = (read(f"{PROC}/{process}/cmdline") or "").split("\0")
    return words[:-1] if os.path.basename(program) == component else []


def started_at(process: int) -> float:
    """When a process started, in seconds since the epoch; 0 when it is gone."""
    fields = (read(f"{PROC}/{process}/stat") or "").rpartition(")")[2].split()
    with contextlib.suppress(LookupError, ValueError):
        ticks = int(fields[START_TICKS])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def differing(component: str, processes: list[list[str]]) -> list[str]:
    """Flags that a process of it runs with and its manifest does not have, or the other way round.

    Empty where it does not run, where the manifest has just been written, or where its command cannot be read.
    """
    path = f"{MANIFEST_DIRECTORY}/{component}.yaml"
    wanted = command_in(read(path) or "")
    with contextlib.suppress(OSError):
        if not wanted or time.time() - os.stat(path).st_mtime < 40:  # the kubelet looks every 20 s
            return []
    return sorted({flag[:MOST_CHARACTERS] for arguments in processes for flag in set(arguments) ^ set(wanted)})[:10]


def command_in(manifest: str) -> list[str]:
    """The arguments in a manifest as kubeadm writes them, without the program's name."""
    block = re.search(r"^( *)-? *command:\n((?:\1 *- .*\n)+)", manifest, re.M)
    if block is None:
        return []
    words = [line.strip()[2:].strip() for line in block.group(2).splitlines()]
    return [word[1:-1] if word[:1] == word[-1:] and word[:1] in "'\"" else word for word in words][1:]


def conflicting_manifests() -> dict[str, str]:
    """Path -> which of the control plane's pods it defines as well: the kubelet runs every file that is there."""
    own = {f"{name}.yaml" for name in STATIC_PODS}
    found = {}
    for entry in sorted(os.scandir(MANIFEST_DIRECTORY), key=lambda one: one.name)[:100]:
        if entry.name.startswith(".") or entry.name in own or not entry.is_file():
            continue
        if conflict := CONFLICTING.search((read(entry.path) or "")[:100_000]):
            found[entry.path] = conflict.group(1)
    return found
