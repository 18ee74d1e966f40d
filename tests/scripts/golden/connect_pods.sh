set -eu
DEADLINE_MARK='deadline passed:'

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

written() { grep FLANNEL_SUBNET= /run/flannel/subnet.env; }
wait_for 90 "flannel has written this node's subnet" written
subnet=$(sed -n 's/^FLANNEL_SUBNET=//p' /run/flannel/subnet.env)
ip link set dev cni0 up 2>/dev/null || true
bridge=$(ip -4 -o address show dev cni0 2>/dev/null | sed -n 's/.* inet \([0-9./]*\) .*/\1/p')
if [ -n "$bridge" ] && [ "$bridge" != "$subnet" ]; then
    echo "cni0 has $bridge, and is to have $subnet"
    ip link delete cni0
fi
ours=$(readlink /proc/self/ns/net)
for task in /run/containerd/io.containerd.runtime.v2.task/k8s.io/*; do
    grep -Eq '"io.kubernetes.cri.container-type": *"sandbox"' "$task/config.json" 2>/dev/null || continue
    process=$(cat "$task/init.pid" 2>/dev/null) || continue
    theirs=$(readlink "/proc/$process/ns/net" 2>/dev/null) || continue
    [ "$theirs" != "$ours" ] || continue
    peer=$(nsenter --net --target "$process" ip -o link show dev eth0 | sed -n 's/.* eth0@if\([0-9]*\): .*/\1/p')
    [ -n "$peer" ] || continue
    if ip -o link | grep "^$peer: veth" | grep -qv ' master '; then
        echo "the pod of process $process is in no bridge"
        kill -KILL "$process"
    fi
done
