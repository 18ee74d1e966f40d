"""The kubelet on this host, and its containers' last errors."""

from __future__ import annotations

import base64
import contextlib
import glob
import http.client
import os
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from haplane.facts.on_host.probe import PlainConnection, TlsConnection, read
from haplane.facts.on_host.systemd import ERROR, KLOG, MOST_WORDS, last_error

KUBELET_CLIENT_PEM = "/var/lib/kubelet/pki/kubelet-client-current.pem"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
KUBELET_HEALTH_PORT, KUBELET_SECONDS = 10248, 3.0
POD_LOGS = "/var/log/pods"
MOST_OF_A_LOG = 1 << 16
WRITTEN_BY = re.compile(r"^\S+ (?:stdout|stderr) [FP] ")
"""Of the container runtime, before each line of a container's."""


def kubelet() -> dict[str, Any]:
    """What is wrong with its /healthz, its last error then, and why it gets to no API server by its kubeconfig.

    Nothing on a host without a kubeconfig for one.
    """
    config = read(KUBELET_CONF)
    if config is None:
        return {}
    unhealthy = why_unhealthy(KUBELET_HEALTH_PORT)
    named = re.search(r"^[\s-]*server: *[\"']?([^\s\"']+)", config, re.M)
    return {
        "unhealthy": unhealthy,
        "last_error": last_error("kubelet") if unhealthy else "",
        "unserved": (why_unserved(named.group(1)) or why_refused(named.group(1), config)) if named else "",
    }


def why_unhealthy(port: int) -> str:
    """What its own /healthz answers instead of 200; "" when it answers that."""
    connection = PlainConnection("127.0.0.1", port, timeout=KUBELET_SECONDS)
    try:
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            return "" if answer.status == 200 else f"/healthz: HTTP {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"/healthz: {error}"[:MOST_WORDS]


def why_unserved(server: str) -> str:
    """Why no connection to that address can be made; "" when it can."""
    try:
        place = urlsplit(server)
        socket.create_connection((place.hostname or "", place.port or 443), KUBELET_SECONDS).close()
    except (OSError, ValueError) as error:
        return f"{server}: {error}"[:MOST_WORDS]
    return ""


def why_refused(server: str, config: str) -> str:
    """Why the API server there and this kubelet do not accept each other; "" when they do, or that is not known.

    A kubelet that runs keeps the connections that it has.
    """
    authority = re.search(r"certificate-authority-data: *[\"']?([\w+/=]+)", config)
    try:
        pem = base64.b64decode(authority[1]).decode("ascii") if authority else None
        context = ssl.create_default_context(cadata=pem)
        context.load_cert_chain(KUBELET_CLIENT_PEM)
        place = urlsplit(server)
        port = place.port or 443
        connection = TlsConnection(place.hostname or "", port, context=context, timeout=KUBELET_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/version")
            status = connection.getresponse().status
        return f"{server}: HTTP {status}" if status == 401 else ""
    except ssl.SSLCertVerificationError as error:
        return f"{server}: CERTIFICATE_VERIFY_FAILED: {error.verify_message}"[:MOST_WORDS]
    except (OSError, http.client.HTTPException, ValueError):
        return ""


def last_error_of(component: str) -> str:
    """The last line like an error in the newest log of a static pod's container; "" where there is none."""
    logs = glob.glob(f"{POD_LOGS}/kube-system_{component}-*/{component}/*.log")
    with contextlib.suppress(OSError, ValueError):
        with open(max(logs, key=os.path.getmtime), "rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - MOST_OF_A_LOG, 0))
            text = log.read(MOST_OF_A_LOG).decode(errors="replace")
        lines = (WRITTEN_BY.sub("", line) for line in reversed(text.splitlines()))
        return next((KLOG.sub("", line).strip()[:MOST_WORDS] for line in lines if ERROR.search(line)), "")
    return ""
