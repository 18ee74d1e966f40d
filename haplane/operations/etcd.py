"""Forming an etcd cluster, once: the only moment at which a member may start with an empty disk."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.paths import ExistingPaths
from haplane.operations.waiting import WAIT_FOR

BOOTSTRAPPED = "/etc/etcd/bootstrapped"
DROP_IN = "/run/systemd/system/etcd.service.d/haplane-bootstrap.conf"
ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt --command-timeout=2s "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
START = f"""
set -eu
install -d -m 700 /var/lib/etcd
install -d -m 755 "$(dirname {DROP_IN})"
printf '%s' "$1" > {DROP_IN}
systemctl daemon-reload
systemctl enable --quiet etcd.service
systemctl start --no-block etcd.service
"""
WAIT = f"""{WAIT_FOR}
wait_for 80 "this member reads through quorum" {ETCDCTL} endpoint health
"""
SETTLE = f"""
set -eu
rm -f {DROP_IN}
systemctl daemon-reload
date --utc --iso-8601=seconds > {BOOTSTRAPPED}
"""

HAND_OVER = f"""
set -eu
others=$({{ {ETCDCTL} endpoint status -w json; {ETCDCTL} member list -w json; }} | python3 -c '
import json, sys
(own,), cluster = map(json.loads, sys.stdin)
status = own["Status"]
leads = status["leader"] == status["header"]["member_id"]
voters = [m["ID"] for m in cluster["members"] if not m.get("isLearner") and m["ID"] != status["leader"]]
print(*(format(voter, "x") for voter in voters if leads))' 2>/dev/null) || others=
for other in $others; do
    {ETCDCTL} move-leader "$other" && break
done || true
"""
"""Where no other voter takes it, an election after the restart finds one."""


@operation()
def start_new_cluster(drop_in: str) -> Generator[StringCommand, None, None]:
    """Start this member so that it forms a new cluster with the others named in its unit.

    + drop_in: the unit's drop-in that says ``new``; it lives in /run, so a power cut takes it away
    """
    if BOOTSTRAPPED in host.get_fact(ExistingPaths, paths=[BOOTSTRAPPED]):
        host.noop("the member has been part of a cluster before")
        return
    yield StringCommand("sh", "-c", QuoteString(START), "sh", QuoteString(drop_in))


@operation()
def settle_new_cluster() -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum, then never let it form a cluster again."""
    if BOOTSTRAPPED in host.get_fact(ExistingPaths, paths=[BOOTSTRAPPED]):
        host.noop("the member has been part of a cluster before")
        return
    yield StringCommand("sh", "-c", QuoteString(WAIT))
    yield StringCommand("sh", "-c", QuoteString(SETTLE))


@operation()
def hand_over_leadership() -> Generator[StringCommand, None, None]:
    """Make another voter the leader if this member is it: writes go on without waiting for an election."""
    yield StringCommand("sh", "-c", QuoteString(HAND_OVER))


@operation()
def wait_for_member() -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum."""
    yield StringCommand("sh", "-c", QuoteString(WAIT))
