# wait_for SECONDS WHAT COMMAND...: until the command succeeds. Past the deadline, the last line that it printed is
# the reason. In a subshell, so that its variables are its own. Every deadline is below the timeout of the operation
# that runs the script: a timeout ends our waiting without a reason, and leaves the command running.

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
