# Write a snapshot of the member on this host to standard output. It needs no majority: it is what the member has applied.
# uses: local_etcdctl

umask 077
directory=$(mktemp -d "$STATE/salvage.XXXXXX")
trap 'rm -rf "$directory"' EXIT
local_etcdctl 300 snapshot save "$directory/snapshot.db" >&2
cat "$directory/snapshot.db"
