# Undo delay_packets.sh. May be run again.
# $address: the host's own

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
if tc qdisc show dev "$interface" root | grep -q netem; then tc qdisc del dev "$interface" root; fi
