# On this machine: power hosts on, and wait until each is on. Every host is tried whatever became of the others; for one
# that is on already, the command may fail. Where one was not powered on none is waited for: the watchdog runs this
# again in a second.
# $power_on: a user's command that does that to {host}
# $is_on: one that succeeds while {host} has power
# $deadline_seconds: for each
# $@: the hosts
# uses: for_host wait_for

failed=
for host in "$@"; do for_host "$power_on" "$host" || for_host "$is_on" "$host" || failed=yes; done
test -z "$failed" || exit 1
for host in "$@"; do wait_for "$deadline_seconds" "$host is on" for_host "$is_on" "$host"; done
