set -eu
address='the address'

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
if tc qdisc show dev "$interface" root | grep -q netem; then tc qdisc del dev "$interface" root; fi
