set -eu

modprobe --quiet sch_netem || echo "the module sch_netem is not there; it may be built in" >&2
tc qdisc add dev lo root netem delay 0ms
tc qdisc del dev lo root
