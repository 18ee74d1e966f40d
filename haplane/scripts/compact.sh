# Give up every revision but the current one, on all members, and wait until their pages are free.
# $current_revision: operations/on_host/current_revision.py
# uses: local_etcdctl

revision=$(local_etcdctl 2 get haplane-health -w json | python3 -I -c "$current_revision")
output=$(local_etcdctl 280 compaction --physical -- "$revision" 2>&1) && exit 0
case $output in *"has been compacted"*) exit 0 ;; esac
echo "$output" >&2
exit 1
