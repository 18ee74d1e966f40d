set -eu
only='the only'
output='the output'
percent='the percent'
ssh_port='the ssh_port'
set -- 'first' 'second; with '\''quotes'\'''

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
