"""How much volumes hold, by the kubelet of their node: its figures are its own, and may be anything."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import urllib.parse
from typing import Any

from haplane.facts.on_host.probe import PIECE_BYTES, TlsConnection

SIZES_BYTES = 8 << 20
KEY_CHARACTERS = 300


def sizes_of_volumes(port: int, context: ssl.SSLContext, node: str, deadline: float, most: int) -> dict[str, int]:
    """Bytes by "POD UID/VOLUME", of ``most`` volumes. Raises whatever may be wrong with what the kubelet returns."""
    left = max(0.1, deadline - time.monotonic())
    connection = TlsConnection("127.0.0.1", port, context=context, timeout=left)
    with contextlib.closing(connection):
        connection.request("GET", f"/api/v1/nodes/{urllib.parse.quote(node, safe='')}/proxy/stats/summary")
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"HTTP {response.status}")
        return used_bytes(json.loads(whole(response, SIZES_BYTES, deadline)), most)


def whole(response: http.client.HTTPResponse, most: int, deadline: float) -> bytes:
    """All of it. Raises OSError when that is more than ``most`` bytes, or not there by then."""
    content = bytearray()
    while piece := response.read1(PIECE_BYTES):
        content += piece
        if len(content) > most:
            raise OSError(f"more than {most >> 20} MiB")
        if time.monotonic() > deadline:
            raise OSError("it did not end in time")
    return bytes(content)


def used_bytes(summary: dict[str, Any], most: int) -> dict[str, int]:
    """Raises whatever may be wrong with it."""
    found = {}
    for pod in summary.get("pods", ()):
        for volume in pod.get("volume", ()):
            if "usedBytes" in volume:
                key, size = f"{pod['podRef']['uid']}/{volume['name']}", int(volume["usedBytes"])
                if len(key) > KEY_CHARACTERS or not 0 <= size < 1 << 63:
                    raise ValueError("a volume's name or size is none")
                found[key] = size
                if len(found) > most:
                    raise ValueError("too many volumes")
    return found
