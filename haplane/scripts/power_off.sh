# On this machine: power hosts off, and wait until each is off.
# $power_off: a user's command that does that to {host}
# $is_on: one that succeeds while {host} has power
# $deadline_seconds: for each
# $@: the hosts
# uses: for_host wait_for

is_off() { ! for_host "$is_on" "$1"; }
for host in "$@"; do for_host "$power_off" "$host"; done
for host in "$@"; do wait_for "$deadline_seconds" "$host is off" is_off "$host"; done
