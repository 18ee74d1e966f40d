"""A Corefile that CoreDNS does not take, so that it keeps the one it has, or that leads to servers which are gone."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from haplane.facts.on_host.dns import silent_servers
from haplane.facts.on_host.kubernetes import KUBE_SYSTEM, MOST_TEXT, credentials
from haplane.facts.on_host.pods import crashes, seconds_since
from haplane.facts.on_host.probe import TlsConnection

COREFILE = f"{KUBE_SYSTEM}/configmaps/coredns"
LOG_SECONDS = 3.0
LOG_BYTES = 1 << 18
RELOADED = re.compile(r"Restart failed: (.+)|Reloading complete")
OF_COREFILE = re.compile(r"^(?:\[FATAL\] )?(?:\S*/Corefile:\d+ |plugin/[a-z_]+: ).*$", re.M)
"""The last that it says when it does not start."""

FORWARD = re.compile(r"^[ \t]*forward[ \t]+\S+[ \t]+([^{#\n]+)", re.M)
ADDRESS = re.compile(r"(?:dns://)?((?:\d{1,3}\.){3}\d{1,3})(?::53)?")
MOST_FORWARDS = 20

Log = Callable[[str, str], str]
"""Takes a pod's name and the query of a request for its log; gives the text, "" where it is not to be had."""


def corefile_error(pods: list[dict[str, Any]], changed: str, log: Log) -> str:
    """Why CoreDNS does not start, or did not load what was ``changed`` (a time) since it started; "" otherwise."""
    for pod in sorted(pods, key=lambda one: str(one["metadata"]["name"])):
        name = pod["metadata"]["name"]
        for one in pod.get("status", {}).get("containerStatuses", []):
            running = one.get("state", {}).get("running")
            found: list[str] = []
            if crashes(one):
                found = OF_COREFILE.findall(log(name, "previous=true&tailLines=20"))
            elif running and seconds_since(running["startedAt"]) > seconds_since(changed):
                found = RELOADED.findall(log(name, f"sinceTime={quote(changed)}"))
            if found and found[-1]:
                return str(found[-1])[:MOST_TEXT]
    return ""


def silent_forwards(corefile: str) -> list[str]:
    """Name servers that queries are passed on to, where none of those in the same line answers anything.

    Of lines that name nothing but addresses: a node's file is looked at there, and TLS is not spoken here.
    """
    found: list[str] = []
    for line in FORWARD.findall(corefile)[:MOST_FORWARDS]:
        servers = [match.group(1) for word in line.split() if (match := ADDRESS.fullmatch(word))]
        if len(servers) == len(line.split()) and set(servers) <= set(silent_servers(servers)):
            found += [one for one in servers if one not in found]
    return found


def log_reader(port: int, config: str) -> Log:
    """Of CoreDNS, from the API server on this host."""
    context = credentials(config)

    def log(pod: str, query: str) -> str:
        connection = TlsConnection("127.0.0.1", port, context=context, timeout=LOG_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            path = f"{KUBE_SYSTEM}/pods/{pod}/log?container=coredns&limitBytes={LOG_BYTES}&{query}"
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(LOG_BYTES).decode(errors="replace")
            return text if answer.status == 200 else ""
        return ""

    return log
