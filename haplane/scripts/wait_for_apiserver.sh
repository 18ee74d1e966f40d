# Wait until the API server on this host is ready. On a slow host one that works is waited for beyond the deadline.
# $port: the API server's on this host
# $deadline_seconds: for how long
# uses: control_plane

control_plane ready "$deadline_seconds" "$port"
