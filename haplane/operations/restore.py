"""Replacing etcd's data on a host, in steps that may each be cut off anywhere and run again."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation

from haplane.operations.etcd import DROP_IN, SETTLE, WAIT

REBUILD = """
set -eu
umask 077
staging=$1 bump=$2 name=$3 cluster=$4 token=$5 url=$6
if [ -e "$staging/ready" ]; then exit 0; fi
cd "$staging"
rm -rf data member
etcdutl snapshot restore snapshot.db --data-dir data --bump-revision "$bump" --mark-compacted \\
    --name "$name" --initial-cluster "$cluster" --initial-cluster-token "$token" \\
    --initial-advertise-peer-urls "$url" >log 2>&1 || { tail -n 3 log >&2; exit 1; }
mv data/member member
find member -exec sync {} +
touch ready
sync .
"""
"""Nothing that runs is touched: the new data is made beside the old. etcdutl checks the hash at its end; what is
synced is the new data alone, not the gigabytes it was made from."""

STOP_SERVING = """
set -eu
manifest=$1 aside=$2
systemctl stop kubelet.service 2>/dev/null || test ! -e /etc/systemd/system/kubelet.service
if [ -e "$manifest" ]; then mv -f "$manifest" "$aside"; sync "$aside"; fi
ctr --connect-timeout 5s version >/dev/null
namespace='labels."io.kubernetes.pod.namespace"==kube-system'
name='labels."io.kubernetes.container.name"'
left() {
    ctr -n k8s.io containers list -q "$namespace,$name==kube-apiserver" \
        "$namespace,$name==kube-controller-manager" "$namespace,$name==kube-scheduler" >"$wanted"
    ctr -n k8s.io tasks list |
        awk 'NR == FNR { wanted[$1]; next } $1 in wanted && $3 == "RUNNING" { print $1 }' "$wanted" -
}
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
while running=$(left) && [ -n "$running" ]; do
    for id in $running; do ctr -n k8s.io tasks kill --signal SIGKILL "$id" 2>/dev/null || true; done
    sleep 0.1
done
"""
"""The kubelet first, so that nobody starts them again; without the manifest not even a power cut brings it back.

They are killed: what they would still finish in their grace period is written into data that is about to go."""

SWITCH = """
set -eu
data=$1 staging=$2 aside=$3
test -e "$staging/ready"
systemctl kill --signal=SIGKILL etcd.service 2>/dev/null || true
systemctl stop etcd.service
if [ -d "$staging/member" ]; then
    if [ -d "$data/member" ]; then mkdir -m 700 -p "$aside"; mv -T "$data/member" "$aside/member"; fi
    mv -T "$staging/member" "$data/member"
    sync "$data"
fi
"""
"""Asked to stop, a member looks for another leader, and all of them stop. So it is killed: its log is on disk."""

TIDY = """
set -eu
data=$1 keep=$2
for left in "$data"/restore-*; do
    if [ "$left" != "$keep" ]; then rm -rf --one-file-system "$left"; fi
done
"""

START = f"""
set -eu
install -d -m 755 "$(dirname {DROP_IN})"
printf '[Service]\\nEnvironment=FEATURE_GATES=CompactHashCheck=true\\n' > {DROP_IN}
systemctl daemon-reload
systemctl enable --quiet etcd.service
systemctl reset-failed etcd.service 2>/dev/null || true
systemctl start --no-block etcd.service
"""
"""Once without the check of the others' data: members that start together wait 7 s for each other before they give it
up (etcd's corrupt.go), and all have just made their data from one file."""

RESUME = """
set -eu
manifest=$1 aside=$2 config=$3
if [ -e "$aside" ] && [ ! -e "$manifest" ]; then
    if [ "$config" -nt "$aside" ]; then
        kubeadm init phase control-plane all --config "$config" >/dev/null
        rm -f "$aside"
    else
        mv -f "$aside" "$manifest"
    fi
fi
if [ -e /var/lib/kubelet/config.yaml ]; then systemctl restart kubelet.service; fi
"""


@operation()
def rebuild_data(
    staging: str, *, bump: int, member: str, initial_cluster: str, token: str, peer_url: str
) -> Generator[StringCommand, None, None]:
    """Make this member's new data from the snapshot in the staging directory; nothing else is touched.

    + staging: the directory that holds ``snapshot.db``; the data will be in ``member``
    + bump: by how much revisions are raised, the same on every member
    + member: its name
    + initial_cluster: every member, NAME=URL with commas between
    + token: of the new cluster
    + peer_url: the member's own
    """
    words = (staging, str(bump), member, initial_cluster, token, peer_url)
    yield StringCommand("sh", "-c", QuoteString(REBUILD), "sh", *(QuoteString(word) for word in words))


@operation()
def stop_serving(manifest: str, aside: str) -> Generator[StringCommand, None, None]:
    """Stop the kubelet, the API server, the controllers and the scheduler of this master.

    + manifest: the API server's
    + aside: where it waits
    """
    yield StringCommand("sh", "-c", QuoteString(STOP_SERVING), "sh", QuoteString(manifest), QuoteString(aside))


@operation()
def switch_data(data: str, staging: str, aside: str) -> Generator[StringCommand, None, None]:
    """Stop etcd, move its old data aside, put the new data in its place.

    + data: etcd's data directory
    + staging: where the new data is
    + aside: where the old data goes
    """
    words = (data, staging, aside)
    yield StringCommand("sh", "-c", QuoteString(SWITCH), "sh", *(QuoteString(word) for word in words))


@operation()
def start_restored() -> Generator[StringCommand, None, None]:
    """Start this member on its restored data, without waiting: it needs the others."""
    yield StringCommand("sh", "-c", QuoteString(START))


@operation()
def settle_restored() -> Generator[StringCommand, None, None]:
    """Wait until it reads through quorum, then never let it start empty."""
    yield StringCommand("sh", "-c", QuoteString(WAIT))
    yield StringCommand("sh", "-c", QuoteString(SETTLE))


@operation()
def resume_serving(manifest: str, aside: str, config: str) -> Generator[StringCommand, None, None]:
    """Let the API server, the controllers and the scheduler of this master start again, with a fresh kubelet.

    + manifest: the API server's
    + aside: where it waits
    + config: kubeadm's configuration, from which it is made anew where that has changed
    """
    words = (manifest, aside, config)
    yield StringCommand("sh", "-c", QuoteString(RESUME), "sh", *(QuoteString(word) for word in words))


@operation()
def restart_kubelet() -> Generator[StringCommand, None, None]:
    """On a worker: it has cached what the cluster no longer knows."""
    yield StringCommand("systemctl", "try-restart", "kubelet.service")


@operation()
def tidy(data: str, keep: str = "") -> Generator[StringCommand, None, None]:
    """Remove what restores have made on the way; what they keep is called otherwise.

    + data: etcd's data directory
    + keep: a directory there that is still needed
    """
    yield StringCommand("sh", "-c", QuoteString(TIDY), "sh", QuoteString(data), QuoteString(keep))
