# Delay all that the interface with this address sends.
# $address: the host's own
# $milliseconds: by how much

interface=$(ip -o -4 address show to "$address" | awk '{print $2; exit}')
tc qdisc replace dev "$interface" root netem delay "${milliseconds}ms"
