set -eu
address='the address'
milliseconds='the milliseconds'

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
test -n "$interface" || { echo "no interface has $address" >&2; exit 1; }
root_discipline() {
    shown=$(tc qdisc show dev "$interface" root) || return
    printf '%s\n' "$shown" | awk '$4 == "root" {print $2, $3; exit}'
}

found=$(root_discipline)
case "$found" in
"" | *" 0:" | *" 4a70:") ;;
*)
    echo "$interface has a queueing discipline of its own (${found% *}): its packets cannot be delayed" >&2
    exit 1
    ;;
esac
tc qdisc replace dev "$interface" root handle 4a70: netem delay "${milliseconds}ms"
