"""Which etcd member this host sees as leader, and whether it holds the endpoint's address. Standard library alone.

    python3 -I -c THIS ADDRESS WITH_ETCD

Until its input ends it looks PER_SECOND times a second and prints a line of JSON: ``holds`` (whether ADDRESS is one
of the host's), and with WITH_ETCD ``yes`` ``etcd``: the ids of this ``member`` and of its ``leader``, the ``term``
and etcd's ``version``; null when the member does not respond within SECONDS.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import ssl
import sys

PER_SECOND = 3
SECONDS = 0.8
PKI = "/etc/etcd/pki"


def main() -> None:
    """Look until standard input ends."""
    address, with_etcd = sys.argv[1:]
    local = re.compile(rf"\|-- {re.escape(address)}\n\s+/32 host LOCAL")
    member = Member() if with_etcd == "yes" else None
    while not (select.select([0], [], [], 1 / PER_SECOND)[0] and not os.read(0, 1024)):
        with open("/proc/net/fib_trie", encoding="ascii") as routes:
            found: dict[str, object] = {"holds": bool(local.search(routes.read()))}
        if member is not None:
            found["etcd"] = member.status()
        os.write(1, json.dumps(found).encode() + b"\n")


class Member:
    """The etcd member on this host, on one connection for as long as that works."""

    def __init__(self) -> None:
        self._context = ssl.create_default_context(cafile=PKI + "/ca.crt")
        self._context.load_cert_chain(PKI + "/healthcheck-client.crt", PKI + "/healthcheck-client.key")
        self._connection: http.client.HTTPSConnection | None = None

    def status(self) -> dict[str, object] | None:
        """Its own view, or None."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", 2379, timeout=SECONDS, context=self._context
                )
            self._connection.request("POST", "/v3/maintenance/status", "{}")
            seen = json.loads(self._connection.getresponse().read(1 << 16))
            return {
                "member": seen["header"]["member_id"],
                "leader": seen.get("leader", "0"),
                "term": seen["raftTerm"],
                "version": seen["version"],
            }
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return None


if __name__ == "__main__":
    main()
