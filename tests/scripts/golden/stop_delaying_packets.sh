set -eu
address='the address'

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
test -n "$interface" || { echo "no interface has $address" >&2; exit 1; }
root_discipline() {
    shown=$(tc qdisc show dev "$interface" root) || return
    printf '%s\n' "$shown" | awk '$4 == "root" {print $2, $3; exit}'
}

found=$(root_discipline)
case "$found" in *" 4a70:") tc qdisc del dev "$interface" root ;; esac
