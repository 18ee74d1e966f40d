set -eu
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
current_revision='the current_revision'

local_etcdctl() (
    seconds=$1
    shift
    etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$ETCD_MEMBER_CA_CRT" --command-timeout="${seconds}s" \
        --cert="$ETCD_HEALTHCHECK_CLIENT_STEM.crt" --key="$ETCD_HEALTHCHECK_CLIENT_STEM.key" "$@"
)

revision=$(local_etcdctl 2 get haplane-health -w json | python3 -I -c "$current_revision")
output=$(local_etcdctl 280 compaction --physical -- "$revision" 2>&1) && exit 0
case $output in *"has been compacted"*) exit 0 ;; esac
echo "$output" >&2
exit 1
