"""What kubelets serve API servers with: whether it can be verified, and whether they let them in."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import ipaddress
import socket
import ssl
from typing import Any

from haplane.facts.on_host.probe import TlsConnection

HANDSHAKES = 32
MOST_NODES = 128
HANDSHAKE_SECONDS = 1
CLOSED, REFUSED = "closed", "HTTP "
KUBELET_CLIENT = "/etc/kubernetes/pki/apiserver-kubelet-client.crt"
NO_LOG = "/containerLogs/kube-system/none/none"
"""Of a pod that there is not: who may not read it is told so first (pkg/kubelet/server/auth.go)."""


def with_serving(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with why an API server cannot verify its kubelet's certificate, that its port is ``closed``, or that it
    ``refuses`` an API server.

    Nothing where that is not so or unknown. Of the first MOST_NODES that are Ready: 4 s if none of them answers.
    """
    ready_nodes = [one for one in nodes if one["ready"]][:MOST_NODES]
    with concurrent.futures.ThreadPoolExecutor(HANDSHAKES) as pool:
        wrong = list(pool.map(lambda one: unverified(one["address"], one["port"]), ready_nodes))
    found = {one["name"]: why or "" for one, why in zip(ready_nodes, wrong, strict=True)}
    return [{**one, **of_kubelet(found.get(one["name"], ""))} for one in nodes]


def of_kubelet(wrong: str) -> dict[str, Any]:
    """What is reported of a node for what :func:`unverified` found there."""
    apart = wrong == CLOSED or wrong.startswith(REFUSED)
    return {
        "closed": wrong == CLOSED,
        "refuses": wrong if wrong.startswith(REFUSED) else "",
        "unverified": None if apart or not wrong else wrong,
    }


def unverified(address: str, port: int) -> str | None:
    """Why the certificate that is served there does not verify as an API server does; CLOSED where none is.

    REFUSED and a status where the kubelet then lets no API server read a pod's log. The kubelet alone says which
    address it has; nothing is looked up.
    """
    try:
        ipaddress.ip_address(address)
        context = ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt")
        known = presents(context)
        connection = TlsConnection(address, port, context=context, timeout=HANDSHAKE_SECONDS)
        with contextlib.closing(connection):
            connection.connect()
            return refused_log(connection) if known else None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return "it serves none yet" if "INTERNAL_ERROR" in str(error) else None
    except (ConnectionRefusedError, TimeoutError) as error:
        return CLOSED if isinstance(error, ConnectionRefusedError) or not connects(address, port) else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def presents(context: ssl.SSLContext) -> bool:
    """Whether there is a certificate to show kubelets, as API servers do."""
    try:
        context.load_cert_chain(KUBELET_CLIENT, KUBELET_CLIENT.removesuffix(".crt") + ".key")
    except (OSError, ValueError):
        return False
    return True


def refused_log(connection: http.client.HTTPSConnection) -> str | None:
    """Whether the kubelet refuses an API server the log of a pod; that there is no such pod is no refusal."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", NO_LOG)
        with connection.getresponse() as answer:
            return f"{REFUSED}{answer.status}" if answer.status in (401, 403) else None
    return None


def connects(address: str, port: int) -> bool:
    """Whether a second, longer try gets a connection: a busy host is not a closed port."""
    try:
        socket.create_connection((address, port), 3 * HANDSHAKE_SECONDS).close()
    except OSError:
        return False
    return True
