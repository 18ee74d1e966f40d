# Delay all that the interface with this address sends. A queueing discipline that somebody chose is left alone: nothing
# could restore it.
# $milliseconds: by how much
# uses: root_discipline

found=$(root_discipline)
case "$found" in
"" | *" 0:" | *" 4a70:") ;;
*)
    echo "$interface has a queueing discipline of its own (${found% *}): its packets cannot be delayed" >&2
    exit 1
    ;;
esac
tc qdisc replace dev "$interface" root handle 4a70: netem delay "${milliseconds}ms"
