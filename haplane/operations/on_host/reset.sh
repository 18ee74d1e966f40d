#!/bin/sh
# Runs on a host: takes haplane's cluster off it. Data and keys are moved aside with a date, never deleted.
# Arguments: the date, the pod network, the directory of snapshots, then every file that was pushed.
set -u
stamp=$1 pods=$2 snapshots=$3
shift 3
aside=/var/lib/haplane-reset/$stamp
umask 077
mkdir -p "$aside"

systemctl disable --quiet --now haplane-snapshot.timer 2>/dev/null
systemctl stop haplane-snapshot.service 2>/dev/null
floating=$(sed -n 's|^ *\([0-9.]*\)/32 dev \([a-z0-9]*\)$|\1/32 dev \2|p' /etc/keepalived/keepalived.conf 2>/dev/null)
ours() { grep -q '^# Written by haplane' "$1" 2>/dev/null; } # the operator's own load balancer is not
balancers=
ours /etc/haproxy/haproxy.cfg && balancers=haproxy
ours /etc/keepalived/keepalived.conf && balancers="keepalived $balancers"
systemctl disable --quiet --now $balancers kubelet etcd 2>/dev/null

# Containers outlive containerd, so they end first.
ctr -n k8s.io tasks list -q 2>/dev/null | xargs -r -n1 ctr -n k8s.io tasks kill --all --signal SIGKILL 2>/dev/null
systemctl disable --quiet --now containerd 2>/dev/null
pkill -KILL -f '^/usr/local/bin/containerd-shim-runc-v2' 2>/dev/null
for tree in /sys/fs/cgroup/kubepods* /sys/fs/cgroup/*/kubepods*; do
    test -d "$tree" || continue
    find "$tree" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -KILL 2>/dev/null
done

# The deepest mounts first: pods' volumes, containers' roots, their network namespaces.
awk '$2 ~ "^(/var/lib/kubelet/|/run/containerd/|/run/netns/cni-)" { print $2 }' /proc/mounts | sort -r |
    while read -r mounted; do umount "$mounted" || umount --lazy "$mounted"; done
rm -f /run/netns/cni-* 2>/dev/null || true

left=0
keep() { # PATH: what it holds goes aside; a directory that is a mount of its own stays, empty
    test -e "$1" || return 0
    mkdir -p "$aside$(dirname "$1")"
    if mountpoint -q "$1"; then
        mkdir -p "$aside$1" && find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -exec mv -t "$aside$1" {} +
    else
        mv "$1" "$aside$1"
    fi || { echo "$1 could not be moved aside" >&2; left=1; }
}
empty() { # PATH: what it holds can be made again
    test -d "$1" || return 0
    find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system {} +
    mountpoint -q "$1" || rmdir "$1"
}

keep /var/lib/etcd
keep /etc/kubernetes
keep /etc/etcd
keep /etc/haplane
keep "$snapshots"
for file in /etc/keepalived/keepalived.conf /etc/keepalived/haproxy-accepts \
    /etc/haproxy/haproxy.cfg /etc/haproxy/remember-servers; do
    if ours "$file"; then keep "$file"; fi
done
keep /var/log/kubernetes
empty /var/lib/kubelet
empty /var/lib/containerd
empty /var/lib/cni
empty /etc/cni/net.d
empty /run/flannel
empty /var/lib/haplane
rm -rf /etc/containerd/config.toml /etc/sysctl.d/99-haplane.conf /etc/modules-load.d/haplane.conf \
    /etc/systemd/system/containerd.service /etc/systemd/system/kubelet.service /etc/systemd/system/etcd.service \
    /etc/systemd/system/haplane-snapshot.service /etc/systemd/system/haplane-snapshot.timer /opt/haplane \
    /etc/systemd/system/haproxy.service.d /etc/systemd/system/keepalived.service.d \
    /run/systemd/system/etcd.service.d /var/log/pods /var/log/containers
for file in "$@"; do rm -f "$file"; done
rm -rf /run/containerd /run/nri /root/.kube/cache
for tree in /etc/cni /etc/containerd /opt/cni /opt/containerd /usr/libexec/kubernetes /root/.kube /run/netns; do
    test ! -d "$tree" || find "$tree" -xdev -depth -type d -empty -delete
done
for found in containerd kubelet etcd haproxy keepalived haplane-snapshot; do systemctl reset-failed $found 2>/dev/null; done
systemctl daemon-reload

for link in cni0 flannel.1 kube-ipvs0; do ip link delete "$link" 2>/dev/null; done
ip route flush root "$pods" 2>/dev/null
test -z "$floating" || ip address delete $floating 2>/dev/null # a keepalived that was killed has left it
nft -j list tables 2>/dev/null | python3 -c '
import json, sys
for entry in json.load(sys.stdin)["nftables"]:
    table = entry.get("table", {})
    if table.get("name", "").startswith(("kube-proxy", "flannel")):
        print(table["family"], table["name"])' | while read -r family table; do nft delete table "$family" "$table"; done

for tool in iptables ip6tables; do
    rules=$($tool-save 2>/dev/null) && echo "$rules" | grep -q -e KUBE- -e CNI- || continue
    echo "$rules" | grep -v -e KUBE- -e CNI- | $tool-restore
    family=${tool%tables}
    for table in filter nat mangle; do # those that iptables made for its chains, unless somebody else uses them
        left_over=$(nft list table "$family" "$table" 2>/dev/null) || continue
        echo "$left_over" | grep -q -v -e '^table' -e '^	chain' -e '^		type' -e '^	}' -e '^}' -e '^$' ||
            nft delete table "$family" "$table"
    done
done

# What an operator would have to know, if anything is left.
for name in kubelet etcd containerd-shim kube-apiserver; do
    pgrep -x "$(printf %.15s "$name")" >/dev/null && echo "still running: $name" >&2 && left=1
done
exit $left
