"""Runs on a host, with nothing but Python's standard library: collects what the checks compare, changes nothing.

Takes one JSON request as its argument and writes one JSON document; ``haplane/checks/host_facts.py`` has its shape.
Of private keys only modes and owners are reported. Every probe has a deadline. Probes that the observer has too are
in ``haplane/facts/on_host``, so that a fix for a host is made once.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import signal
import stat
import sys
import time
from typing import Any

from haplane.checks.on_host.https import request_with_retries
from haplane.checks.on_host.processes import (
    encryption_providers,
    environment,
    given_file,
    newest,
    open_metrics,
    words_of,
)
from haplane.facts.on_host.certificates import certificates
from haplane.facts.on_host.haproxy import haproxy_servers
from haplane.facts.on_host.kubernetes import node
from haplane.facts.on_host.network import addresses, listeners
from haplane.facts.on_host.probe import digest, group, owner, read, run
from haplane.facts.on_host.static_pods import system_pod_processes
from haplane.facts.on_host.systemd import loaded_units

COMMAND_SECONDS = 10
TIMED_OUT = "timed out"
WHOLE_SECONDS = 60  # whatever hangs, the host is left alone after this long


def main() -> None:
    """Run all probes at once."""
    signal.alarm(WHOLE_SECONDS)
    request = json.loads(base64.b64decode(sys.argv[1]))
    probes = {
        "requests": lambda wanted: request_with_retries(**wanted),
        "versions": version_of,
        "documents": lambda command: json_of(*command),
        "kubelets": lambda command: json_of(*command),
        "hashes": digest_or_none,
    }
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pending = {
            kind: {name: pool.submit(probe, wanted) for name, wanted in request[kind].items()}
            for kind, probe in probes.items()
        }
        report: dict[str, Any] = {
            "units": unit_states(request["units"]),
            "stats": stats(request["stats"]),
            "certificates": {path: pem for path, pem in certificates(request["certificates"]).items() if pem},
            "settings": {path: read(path) for path in request["settings"]},
            "kubelet_client_certificate": kubelet_client_certificate(),
            "addresses": [address for found in addresses().values() for address in found],
            "haproxy_servers": haproxy_servers(),
            **running(request["running"]),
        }
        for kind, futures in pending.items():
            report[kind] = {name: future.result() for name, future in futures.items()}
    report["documents"]["nodes"] = nodes_in(report["documents"].get("nodes"))
    json.dump(report, sys.stdout)


def json_of(*command: str) -> Any:  # noqa: ANN401 - any JSON
    """The JSON that a command wrote, None when it failed, was late or wrote something else."""
    try:
        return json.loads(run(*command, seconds=COMMAND_SECONDS) or "null")
    except (OSError, ValueError, RecursionError):
        return None


def version_of(command: list[str]) -> str | None:
    """What a program prints of its version; None where it is not installed or fails, TIMED_OUT where it hangs."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        return (run(*command, seconds=COMMAND_SECONDS) or "").strip() or None
    return TIMED_OUT if time.monotonic() - began >= COMMAND_SECONDS else None


def nodes_in(listed: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 - any JSON
    """What is looked at of each Node in ``kubectl get nodes -o json``; None where it is something else."""
    try:
        return [node(item) for item in listed["items"]]
    except (LookupError, TypeError, AttributeError):
        return None


def unit_states(names: list[str]) -> dict[str, dict[str, str]]:
    """Unit -> its active and enabled states in systemd's words; units that are not loaded are left out."""
    found = units_or_none(names, "ActiveState", "UnitFileState")
    return {
        name: {"active": fields.get("ActiveState", ""), "enabled": fields.get("UnitFileState", "")}
        for name, fields in found.items()
    }


def units_or_none(names: list[str], *properties: str) -> dict[str, dict[str, str]]:
    """None of them where systemd does not answer: what is checked of the others goes on."""
    with contextlib.suppress(OSError):
        return loaded_units(names, *properties)
    return {}


def digest_or_none(path: str) -> str | None:
    """Hexadecimal SHA-256 of a file, None when it cannot be read."""
    try:
        return digest(path)
    except OSError:
        return None


def stats(patterns: list[str]) -> dict[str, dict[str, Any]]:
    """Path -> permission bits, owner and kind of everything that matches; links are followed."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)}):
        try:
            status = os.stat(path)
        except OSError:
            continue
        found[path] = {
            "mode": stat.S_IMODE(status.st_mode),
            "owner": owner(status.st_uid),
            "group": group(status.st_gid),
            "directory": stat.S_ISDIR(status.st_mode),
        }
    return found


def running(wanted: dict[str, list[str]]) -> dict[str, Any]:
    """What runs as static pods and as services, and what it was given."""
    found = {program: process for program in wanted["pods"] if (process := newest(program)) is not None}
    services = units_or_none(wanted["services"], "MainPID")
    found |= {name: int(fields["MainPID"]) for name, fields in services.items() if fields.get("MainPID", "0") != "0"}
    apiserver = found.get("kube-apiserver")
    sockets = listeners()
    return {
        "processes": {program: words_of(process) for program, process in found.items()},
        "environment": environment(found.get("etcd"), wanted["variables"]),
        "audit_policy": given_file(apiserver, "audit-policy-file"),
        "encryption_providers": encryption_providers(given_file(apiserver, "encryption-provider-config")),
        "listening": [place for place, _ in sockets],
        "open_metrics": open_metrics(sockets, system_pod_processes("kube-proxy")),
    }


def kubelet_client_certificate() -> str | None:
    """The file kubelet.conf names as client certificate; None when it embeds one or is absent."""
    named = re.search(r"^\s*client-certificate:\s*(\S+)", read("/etc/kubernetes/kubelet.conf") or "", re.M)
    return named.group(1) if named else None


if __name__ == "__main__":
    main()
