"""Which other members a member of etcd reaches: one that has a leader serves, though it reaches nobody else."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from haplane.facts.on_host.probe import TlsConnection

PEER_CA, PEER_CERTIFICATE, PEER_KEY = "/etc/etcd/pki/ca.crt", "/etc/etcd/pki/peer.crt", "/etc/etcd/pki/peer.key"
PEER_SECONDS, TRIES = 2.0, 2
"""A busy host is asked again before it counts as out of reach."""
MOST_PEERS = 20


def reached_peers(members: Sequence[dict[str, Any]], own: int) -> list[str] | None:
    """The IDs in hexadecimal of the listed members but ``own`` that answer here; None without a peer's keys.

    They are asked as peers do, by TLS: of a connection without it etcd would complain in its log.
    """
    try:
        context = ssl.create_default_context(cafile=PEER_CA)
        context.load_cert_chain(PEER_CERTIFICATE, PEER_KEY)
    except OSError:
        return None
    others = {f"{one['ID']:x}": one["peerURLs"] for one in members[:MOST_PEERS] if one["ID"] != own}
    with concurrent.futures.ThreadPoolExecutor(MOST_PEERS) as pool:
        answers = list(pool.map(lambda urls: any(answers_at(url, context) for url in urls), others.values()))
    return [member for member, there in zip(others, answers, strict=True) if there]


def answers_at(url: str, context: ssl.SSLContext) -> bool:
    """Whether a member answers there, whatever it is asked."""
    for _ in range(TRIES):
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            place = urlsplit(url)
            connection = TlsConnection(place.hostname or "", place.port, context=context, timeout=PEER_SECONDS)
            with contextlib.closing(connection):
                connection.request("GET", "/version")
                connection.getresponse().read(1 << 10)
                return True
    return False
