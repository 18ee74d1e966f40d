"""Secrets as etcd stores them: rewritten through the API, counted on members."""

from __future__ import annotations

import json

from haplane.config.model import Host
from haplane.domain.answers import AtRest
from haplane.host_programs import parts, program
from haplane.remote.openssh import failed, run

SECONDS = 1800


def secrets_at_rest(member: Host, key: str) -> AtRest:
    """Count the Secrets that a member stores under the key of that name, and the others. Raises as `run` does."""
    text = program(*parts("remote", "secrets_at_rest"))
    output = run(member, "python3", "-I", "-c", text, key, deadline_seconds=SECONDS)
    try:
        found = json.loads(output)
        some = tuple(str(name)[:200] for name in found["some"][:5])
        total, others = int(found["total"]), int(found["others"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise failed(member, "etcdctl", "its output is not a count of Secrets") from None
    return AtRest(total, others, some)


def rewrite_secrets(master: Host) -> str | None:
    """Rewrite every Secret through the API from that master. Returns the last failure, or None."""
    output = run(
        master, "python3", "-I", "-c", program(*parts("remote", "rewrite_secrets")), deadline_seconds=SECONDS
    )
    try:
        failure = json.loads(output)["failure"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise failed(master, "kubectl", "its output is not a result") from None
    return None if failure is None else str(failure)[:500]
