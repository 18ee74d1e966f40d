set -eu
address='the address'
milliseconds='the milliseconds'

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
tc qdisc replace dev "$interface" root netem delay "${milliseconds}ms"
