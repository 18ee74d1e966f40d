"""Runs on a master: which admission webhooks refuse what the cluster writes, by writes of which nothing is stored.

    dry_runs.py PORT WEBHOOK...      {"refused": {WEBHOOK: why}, "complete": whether all was tried}

Each object that haplane has applied is patched with nothing, a pod of each DaemonSet made anew, as kubeadm and the
controller of those would: what matchConditions decide is decided by the API server. Ends once all of WEBHOOK refused.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

from haplane.facts.on_host.kubernetes import ADMIN_CONF, LEASES, MOST_TEXT, NODES, ODD_ANSWER, ask, credentials
from haplane.facts.on_host.probe import read
from haplane.facts.on_host.trials import Write, making, trial
from haplane.facts.on_host.workloads import LEADERS, RECORD, own_daemon_sets, paths_of_daemon_sets, recorded_objects

DRY_RUN_SECONDS = 30.0
"""For all: a webhook that drops packets costs each write 5 s."""
FAILED = re.compile(r'failed calling webhook "([^"]{1,253})"')
MERGE_PATCH = "application/merge-patch+json"


def main() -> None:
    """Try them all, and print what was refused by whom."""
    port, names, config = int(sys.argv[1]), set(sys.argv[2:]), read(ADMIN_CONF) or ""
    try:
        found = ask(port, config, [RECORD, NODES])
        found |= ask(port, config, paths_of_daemon_sets(recorded_objects(found.get(RECORD, {}))))
        json.dump(tried(port, config, list(writes(found)), names), sys.stdout)
    except ODD_ANSWER as error:
        sys.exit(f"the API server on this host: {error or type(error).__name__}")


def writes(found: dict[str, Any]) -> Iterator[Write]:
    """What an upgrade, a rollout and a kubelet write."""
    patched = {"Content-Type": MERGE_PATCH}
    recorded = recorded_objects(found.get(RECORD, {}))
    nodes = [f"{NODES}/{item['metadata']['name']}" for item in found[NODES]["items"][:1]]
    for path in (*recorded, *(LEASES + name for name in LEADERS), *nodes):
        yield "PATCH", path, {}, patched
    for item in own_daemon_sets(found, recorded):
        yield making("DaemonSet", item)


def tried(port: int, config: str, every: list[Write], names: set[str]) -> dict[str, Any]:
    """What the API server says of each. Raises OSError or HTTPException when it does not answer."""
    context, deadline = credentials(config), time.monotonic() + DRY_RUN_SECONDS
    refused: dict[str, str] = {}
    for write in every:
        left = deadline - time.monotonic()
        if names <= set(refused) or left <= 0:
            return {"refused": refused, "complete": left > 0}
        _, message = trial(port, context, write, left)
        refused |= refusal_in(message)
    return {"refused": refused, "complete": True}


def refusal_in(message: str) -> dict[str, str]:
    """The webhook that was not reached, and the API server's words; of others that refuse nothing is said."""
    named = FAILED.search(message)
    return {named.group(1): message[:MOST_TEXT]} if named else {}


if __name__ == "__main__":
    main()
