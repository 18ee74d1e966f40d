"""Readers and writers at the endpoint while something is done to the cluster, and what became of their requests."""

import json
import secrets
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.timeline import acknowledged_writes, service
from haplane.drills.probing.writes import lost_writes, make_namespace, remove_namespace, request_until_answered
from haplane.workflows.prepare import over_ssh

DEADLINE_SECONDS = 10.0


@dataclass
class Seen:
    """``failed``, why, and at which second; ``slow`` were answered after more than 1 s.

    ``lost`` are acknowledged writes that are not there; ``before`` and ``after`` are etcd's revisions.
    """

    requests: int = 0
    failed: int = 0
    failures: dict = field(default_factory=dict)
    seconds: list = field(default_factory=list)
    slow: int = 0
    gap_seconds: float = 0.0
    acknowledged: int = 0
    lost: tuple = ()
    before: int = 0
    after: int = 0

    def tell(self, story):
        print(f"\n{story}: {json.dumps(self.__dict__)}")  # noqa: T201 - what the story measured


@contextmanager
def clients(inventory, per_second=10):
    """20 reads and writes a second, each on a connection of its own, none tried again.

    Their deadline is long, because labs share few cores; what took more than 1 s is counted apart.
    """
    client = Client(administrator(inventory, over_ssh(silent)))
    namespace = f"haplane-story-{secrets.token_hex(4)}"
    make_namespace(client, namespace)
    seen = Seen(before=revision(client))
    with endpoint_prober(client.target, namespace, per_second, DEADLINE_SECONDS) as prober:
        yield seen
        requests = prober.stop()
    kinds = [service(requests, kind) for kind in ("read", "write")]
    acknowledged = acknowledged_writes(requests)
    seen.requests = sum(kind.requests for kind in kinds)
    seen.failed = sum(kind.failed for kind in kinds)
    seen.failures = dict(sum((Counter(kind.failures) for kind in kinds), Counter()))
    began = min(request.sent for request in requests)
    seen.seconds = sorted({round(request.sent - began) for request in requests if not request.ok})
    seen.slow = sum(request.ok and request.done - request.sent > 1 for request in requests)
    seen.gap_seconds = max(kind.gap_seconds for kind in kinds)
    seen.acknowledged = len(acknowledged)
    seen.lost = lost_writes(client, namespace, acknowledged)
    seen.after = revision(client)
    remove_namespace(client, namespace)


def revision(client):
    """Etcd's, as every list from the API server tells it."""
    return int(
        request_until_answered(client, "GET", "/api/v1/namespaces?limit=1").document()["metadata"]["resourceVersion"]
    )
