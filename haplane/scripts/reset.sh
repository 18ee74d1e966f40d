# Remove haplane's cluster from this host. Data and keys are moved to a directory of their own, never deleted. Every
# step is tried whatever became of the one before it: many find nothing to do. What is left is reported at the end.
# $timestamp: names the directory
# $pod_network: whose routes are removed
# $snapshots: the directory of snapshots
# $container_tables: operations/on_host/container_tables.py
# $@: every file that was pushed

set +e
umask 077
moved=$RESET/$timestamp
mkdir -p "$moved" || exit 1

systemctl disable --quiet --now haplane-snapshot.timer 2>/dev/null
systemctl stop haplane-snapshot.service 2>/dev/null
floating=$(sed -n 's|^ *\([0-9.]*\)/32 dev \([a-z0-9]*\)$|\1/32 dev \2|p' "$KEEPALIVED_CONF" 2>/dev/null)
ours() { grep -q '^# Written by haplane' "$1" 2>/dev/null; } # the operator's own load balancer is not
balancers=
ours "$HAPROXY_CFG" && balancers=haproxy
ours "$KEEPALIVED_CONF" && balancers="keepalived $balancers"
# shellcheck disable=SC2086 # no word, one or two
systemctl disable --quiet --now $balancers haplane-vrrp kubelet etcd 2>/dev/null
nft delete table ip haplane_vrrp 2>/dev/null

# Containers outlive containerd, so they end first.
ctr -n k8s.io tasks list -q 2>/dev/null | xargs -r -n1 ctr -n k8s.io tasks kill --all --signal SIGKILL 2>/dev/null
systemctl disable --quiet --now containerd 2>/dev/null
pkill -KILL -u 0 -f "^$BINARIES/containerd-shim-runc-v2" 2>/dev/null
for tree in "$CGROUPS"/kubepods* "$CGROUPS"/*/kubepods*; do
    test -d "$tree" || continue
    find "$tree" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -KILL 2>/dev/null
done

# The deepest mounts first: pods' volumes, containers' roots, their network namespaces.
awk '$2 ~ "^(/var/lib/kubelet/|/run/containerd/|/run/netns/cni-)" { print $2 }' /proc/mounts | sort -r |
    while read -r mounted; do umount "$mounted" || umount --lazy "$mounted"; done
rm -f /run/netns/cni-* 2>/dev/null

left=0
keep() { # PATH: what it holds is moved; a directory that is a mount of its own stays, empty
    test -e "$1" || return 0
    mkdir -p "$moved$(dirname "$1")"
    if mountpoint -q "$1"; then
        mkdir -p "$moved$1" && find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -exec mv -t "$moved$1" {} +
    else
        mv "$1" "$moved$1"
    fi || { echo "$1 could not be moved" >&2; left=1; }
}
empty() { # PATH: what it holds can be made again
    test -d "$1" || return 0
    find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system {} +
    mountpoint -q "$1" || rmdir "$1"
}

keep "$ETCD_DATA"
keep "$KUBERNETES"
keep "$ETCD"
keep "$SETTINGS"
# A directory that holds anything else is not ours to move.
others=$(find "$snapshots" -mindepth 1 -maxdepth 1 ! -name '[0-9]*T[0-9]*Z-*-r[0-9]*' ! -name '.lock' ! -name '.work' \
    ! -name '.upload.json*' ! -name lost+found -printf '%f\n' 2>/dev/null | head -n 3)
if [ -z "$others" ]; then keep "$snapshots"; else echo "$snapshots is not for snapshots alone, and stays" >&2; fi
for file in "$KEEPALIVED_CONF" "$KEEPALIVED_CHECK" "$KEEPALIVED_WORK_CHECK" \
    "$HAPROXY_CFG" "$HAPROXY_REMEMBER_SERVERS"; do
    if ours "$file"; then keep "$file"; fi
done
keep /var/log/kubernetes
empty "$KUBELET"
empty /var/lib/containerd
empty /var/lib/cni
empty "$CNI_CONFIG"
empty /run/flannel
empty "$STATE"
rm -rf "$CONTAINERD_CONFIG_TOML" "$LOGIND_KUBELET_CONF" "$SYSCTL_CONF" "$KERNEL_MODULES_CONF" \
    "$CONTAINERD_SERVICE" "$KUBELET_SERVICE" "$ETCD_SERVICE" \
    "$SNAPSHOT_SERVICE" "$SNAPSHOT_TIMER" "$AGENT_ROOT" "$VRRP_FILTER_SERVICE" \
    "$SYSTEMD_UNITS/haproxy.service.d" "$SYSTEMD_UNITS/keepalived.service.d" \
    "${ETCD_BOOTSTRAP_DROP_IN%/*}" /var/log/pods /var/log/containers
for file in "$@"; do rm -f "$file"; done
rm -rf /run/containerd /run/nri /root/.kube/cache
for tree in /etc/cni /etc/containerd /opt/cni /opt/containerd /usr/libexec/kubernetes /root/.kube /run/netns; do
    test ! -d "$tree" || find "$tree" -xdev -depth -type d -empty -delete
done
for found in containerd kubelet etcd haproxy keepalived haplane-snapshot haplane-vrrp; do systemctl reset-failed $found 2>/dev/null; done
systemctl daemon-reload

for link in cni0 flannel.1 kube-ipvs0; do ip link delete "$link" 2>/dev/null; done
ip route flush root "$pod_network" 2>/dev/null
# shellcheck disable=SC2086 # "ADDRESS dev DEVICE"
test -z "$floating" || ip address delete $floating 2>/dev/null # a keepalived that was killed has left it
nft -j list tables 2>/dev/null | python3 -I -c "$container_tables" |
    while read -r family table; do nft delete table "$family" "$table"; done

for tool in iptables ip6tables; do
    rules=$($tool-save 2>/dev/null) || continue
    echo "$rules" | grep -q -e KUBE- -e CNI- || continue
    echo "$rules" | grep -v -e KUBE- -e CNI- | $tool-restore
    family=${tool%tables}
    for table in filter nat mangle; do # those that iptables made for its chains, unless somebody else uses them
        left_over=$(nft list table "$family" "$table" 2>/dev/null) || continue
        echo "$left_over" | grep -q -v -e '^table' -e '^	chain' -e '^		type' -e '^	}' -e '^}' -e '^$' ||
            nft delete table "$family" "$table"
    done
done

# What an operator would have to know, if anything is left: by the control group, which systemd and the kubelet give.
# Anybody's program may have any name.
is_left_in() { # GROUP: or below it
    # shellcheck disable=SC2231 # a pattern
    for tree in "$CGROUPS"/$1 "$CGROUPS"/*/$1; do
        test ! -d "$tree" || find "$tree" -name cgroup.procs -exec cat {} +
    done 2>/dev/null | grep -q .
}
for group in system.slice/kubelet.service system.slice/containerd.service system.slice/etcd.service 'kubepods*'; do
    is_left_in "$group" && echo "still running: processes in $group" >&2 && left=1
done
exit $left
