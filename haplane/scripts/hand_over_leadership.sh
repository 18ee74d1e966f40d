# Make another voter the leader if this member is it: writes go on without waiting for an election. A member that does
# not answer leads nobody; where no other voter takes over, an election after the restart finds a leader. Either way
# what follows may go on, and why is printed.
# $other_voters: operations/on_host/other_voters.py
# uses: local_etcdctl

if ! seen=$(local_etcdctl 2 endpoint status -w json && local_etcdctl 2 member list -w json); then
    echo "this member does not answer, so it hands nothing over"
    exit 0
fi
others=$(printf '%s' "$seen" | python3 -I -c "$other_voters")
test -n "$others" || exit 0
for other in $others; do
    if local_etcdctl 2 move-leader "$other"; then exit 0; fi
done
echo "no other voter takes over: an election will find a leader"
