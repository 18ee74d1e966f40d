"""Forming an etcd cluster, once: the only moment at which a member may start with an empty disk."""

from __future__ import annotations

from collections.abc import Generator, Sequence

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

ASIDE = f"""
set -eu
systemctl stop etcd.service 2>/dev/null || true
if test -d /var/lib/etcd/member; then
    install -d -m 700 "/var/lib/etcd/aside-$1"
    mv /var/lib/etcd/member "/var/lib/etcd/aside-$1/"
fi
rm -f {BOOTSTRAPPED}
"""
"""The mark goes last: interrupted before that, the member refuses to start empty."""

DISCARD = """
set -eu
for kept in "$@"; do rm -rf --one-file-system "$kept"; done
sync /var/lib/etcd
"""

PERSIST = f"""
attempts=$1 done=$2
shift 2
while :; do
    said=$({ETCDCTL.replace("=2s", "=5s")} "$@" 2>&1) && exit 0
    case $said in $done) exit 0 ;; esac
    attempts=$((attempts - 1))
    test $attempts -gt 0 || {{ echo "$said" >&2; exit 1; }}
    sleep 1
done
"""
"""For changes of membership: etcd refuses them while it has just seen a member come or go, and may have made one
whose answer was lost: ``done`` is what it says then."""

WAIT_FOR_ANSWER = f"""
attempts=120
until {ETCDCTL} endpoint status >/dev/null 2>&1; do
    attempts=$((attempts - 1))
    test $attempts -gt 0 || {{ journalctl --unit=etcd --lines=5 --output=cat --no-pager >&2; exit 1; }}
    sleep 1
done
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
def set_data_aside(stamp: str) -> Generator[StringCommand, None, None]:
    """Stop etcd and move its data to ``/var/lib/etcd/aside-STAMP``: this machine's member is no more.

    + stamp: a date that names the directory
    """
    yield StringCommand("sh", "-c", QuoteString(ASIDE), "sh", QuoteString(stamp))


@operation()
def discard(paths: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Remove data that are kept beside the member's own.

    + paths: directories in ``/var/lib/etcd``
    """
    yield StringCommand("sh", "-c", QuoteString(DISCARD), "sh", *map(QuoteString, paths))


@operation()
def remove_member(member: str) -> Generator[StringCommand, None, None]:
    """Take a member off the list.

    + member: its ID in hexadecimal
    """
    yield _persist(60, "*member not found*", "member", "remove", member)


@operation()
def add_learner(member: str, peer_url: str) -> Generator[StringCommand, None, None]:
    """Put a member without a vote onto the list.

    + member: its name
    + peer_url: where it will be dialled
    """
    yield _persist(60, "*Peer URLs already exists*", "member", "add", member, "--learner", f"--peer-urls={peer_url}")


@operation()
def start_learner(drop_in: str) -> Generator[StringCommand, None, None]:
    """Start this machine's member, which gets its data from the leader, and wait until it answers.

    + drop_in: the unit's drop-in that names the members
    """
    yield StringCommand("sh", "-c", QuoteString(START), "sh", QuoteString(drop_in))
    yield StringCommand("sh", "-c", QuoteString(WAIT_FOR_ANSWER))


@operation()
def promote(member: str) -> Generator[StringCommand, None, None]:
    """Give a learner its vote as soon as it has caught up.

    + member: its ID in hexadecimal
    """
    yield _persist(1500, "*can only promote a learner member", "member", "promote", member)


@operation()
def disarm() -> Generator[StringCommand, None, None]:
    """Take all of etcd's alarms back; one that still has a cause is raised again."""
    yield _persist(10, "", "alarm", "disarm")


def _persist(attempts: int, done: str, *words: str) -> StringCommand:
    quoted = [QuoteString(word) for word in (str(attempts), done, *words)]
    return StringCommand("sh", "-c", QuoteString(PERSIST), "sh", *quoted)


@operation()
def hand_over_leadership() -> Generator[StringCommand, None, None]:
    """Make another voter the leader if this member is it: writes go on without waiting for an election."""
    yield StringCommand("sh", "-c", QuoteString(HAND_OVER))


@operation()
def wait_for_member() -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum."""
    yield StringCommand("sh", "-c", QuoteString(WAIT))
