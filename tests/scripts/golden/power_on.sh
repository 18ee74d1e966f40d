set -eu
DEADLINE_MARK='deadline passed:'
deadline_seconds='the deadline_seconds'
is_on='the is_on'
power_on='the power_on'
set -- 'first' 'second; with '\''quotes'\'''

for_host() {
    sh -c "$(printf '%s\n' "$1" | sed "s/{host}/$2/g")"
}

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

failed=
for host in "$@"; do for_host "$power_on" "$host" || for_host "$is_on" "$host" || failed=yes; done
test -z "$failed" || exit 1
for host in "$@"; do wait_for "$deadline_seconds" "$host is on" for_host "$is_on" "$host"; done
