"""Runs on a master: which deprecated APIs were used since its API server was started, as it counts them itself.

deprecated_apis.py PORT      a JSON list of the labels of apiserver_requested_deprecated_apis
"""

from __future__ import annotations

import contextlib
import json
import re
import sys

from haplane.facts.on_host.kubernetes import ADMIN_CONF, credentials
from haplane.facts.on_host.probe import TlsConnection, read

SAMPLE = re.compile(r"^apiserver_requested_deprecated_apis\{([^}]*)\} [1-9]", re.M)
MOST_METRICS_BYTES = 64 << 20
SECONDS = 10


def deprecated_apis(port: int) -> list[dict[str, str]]:
    """The labels of each. Raises OSError or HTTPException when it does not answer."""
    config = read(ADMIN_CONF) or ""
    connection = TlsConnection("127.0.0.1", port, context=credentials(config), timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(MOST_METRICS_BYTES).decode(errors="replace")
    return [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in SAMPLE.findall(text)[:200]]


if __name__ == "__main__":
    json.dump(deprecated_apis(int(sys.argv[1])), sys.stdout)
