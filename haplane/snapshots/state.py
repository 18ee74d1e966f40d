"""What the agent remembers of itself between runs, for `haplane status`: /var/lib/haplane/snapshot-state.json.

::

    {"last_good": {"id", "taken_at", "revision", "seconds", "bytes", "verified_at"} | null,
     "last_attempt": {"at", "outcome": "delivered" | "without-quorum" | "local-only" | "failed", "id" | null},
     "last_error": {"at", "message"} | null,          null again after the next good one
     "without_quorum": N,                              since the last good one
     "skipped": N,                                     own slots, because another snapshot was still running
     "running": {"since", "slot"} | null}

Times are UTC, ISO 8601.
"""
