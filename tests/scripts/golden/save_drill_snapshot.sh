set -eu
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
FAULT='/run/haplane-fault'
FAULT_SNAPSHOT='/run/haplane-fault/snapshot.db'

local_etcdctl() (
    seconds=$1
    shift
    etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$ETCD_MEMBER_CA_CRT" --command-timeout="${seconds}s" \
        --cert="$ETCD_HEALTHCHECK_CLIENT_STEM.crt" --key="$ETCD_HEALTHCHECK_CLIENT_STEM.key" "$@"
)

umask 077
mkdir -p "$FAULT"
rm -f "$FAULT_SNAPSHOT"
local_etcdctl 60 snapshot save "$FAULT_SNAPSHOT" >&2
