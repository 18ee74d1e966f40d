# in_turn COMMAND...: of apt or dpkg, tried again while another process holds a lock of theirs, for 300 s in a script.
# apt can wait for two of its four locks, dpkg for none; hosts upgrade themselves by timers of their own, first after
# their first boot. What it prints is standard error, from a file: what it starts may keep that open.

turn_by=$(($(date +%s) + 300))
in_turn() (
    printed=$(mktemp /run/haplane.XXXXXX)
    trap 'rm -f "$printed"' EXIT
    until "$@" > "$printed" 2>&1; do
        held=$(grep -m 1 -E 'Could not get lock|locked by another process' "$printed") || {
            cat "$printed" >&2
            exit 1
        }
        if [ "$(date +%s)" -ge "$turn_by" ]; then
            echo "$DEADLINE_MARK not within 300 s: apt and dpkg are not in use: $held" >&2
            exit 1
        fi
        sleep 1
    done
    cat "$printed" >&2
)
