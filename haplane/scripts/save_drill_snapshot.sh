# Save a snapshot of this member where a drill fetches it.
# uses: local_etcdctl

umask 077
mkdir -p "$FAULT"
rm -f "$FAULT_SNAPSHOT"
local_etcdctl 60 snapshot save "$FAULT_SNAPSHOT" >&2
