# root_discipline: of the interface with this address, $interface, the queueing discipline as "KIND HANDLE". The handle
# of the kernel's own is 0:, of the drill's 4a70:.
# $address: the host's own

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
test -n "$interface" || { echo "no interface has $address" >&2; exit 1; }
root_discipline() {
    shown=$(tc qdisc show dev "$interface" root) || return
    printf '%s\n' "$shown" | awk '$4 == "root" {print $2, $3; exit}'
}
