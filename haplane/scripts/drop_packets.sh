# Drop packets from and to these addresses, SSH excepted. A table of its own: one command removes all of it.
# $@: addresses of other hosts
# $output: daddr to drop what is sent to them as well, or nothing
# $percent: how many of a hundred packets are dropped
# $only: what nft expression these packets match, or nothing
# $ssh_port: the port that stays open

peers=$(IFS=,; printf '%s' "$*")
chance=
test "$percent" -ge 100 || chance="numgen random mod 100 < $percent"
chain() {
    printf '%s\n' \
        "chain $1 { type filter hook $1 priority -310; tcp dport $ssh_port accept; tcp sport $ssh_port accept;" \
        "ip $2 { $peers } $only $chance drop; }"
}
{
    echo "table inet haplane_drill {"
    chain input saddr
    test -z "$output" || chain output "$output"
    echo "}"
} | nft -f -
