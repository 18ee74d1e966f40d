"""Waiting on a host, in shell: a condition, a deadline, and what was in the way."""

from __future__ import annotations

from haplane.errors import DEADLINE_MARK

WAIT_FOR = f"""
wait_for() {{ # SECONDS WHAT COMMAND...: what the command says last is the reason if it never succeeds
    limit=$(($(date +%s) + $1)) seconds=$1 what=$2
    shift 2
    until said=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$limit" ]; then
            echo "{DEADLINE_MARK} not within $seconds s: $what: $(printf '%s' "$said" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
}}
"""
"""Below pyinfra's own timeout, which ends our waiting without a reason and leaves the command running."""
