# persistent_api SECONDS WORDS...: api, begun again for up to 60 s while no API server can be reached or etcd does not
# answer it: one that was just started, or is on a slow machine, breaks off a request now and then. Nor do all of them
# serve a kind as soon as it is established. For what may be done twice and reads nothing from standard input.
# uses: api

broken_off='Unable to connect|unexpected EOF|connection re(fused|set)|handshake timeout|etcdserver: |ServiceUnavailable'
broken_off="$broken_off|Handler timeout|unable to return a response in the time|could not find the requested resource"

persistent_api() (
    deadline=$(($(date +%s) + 60))
    until { answer=$(api "$@" 2>&1 >&3); } 3>&1; do
        if ! printf '%s' "$answer" | grep -qE "$broken_off"; then
            printf '%s\n' "$answer" >&2
            exit 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within 60 s: the API returned: $answer" >&2
            exit 1
        fi
        sleep 1
    done
    test -z "$answer" || printf '%s\n' "$answer" >&2
)
