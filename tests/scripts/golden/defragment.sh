set -eu
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'

local_etcdctl() (
    seconds=$1
    shift
    etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$ETCD_MEMBER_CA_CRT" --command-timeout="${seconds}s" \
        --cert="$ETCD_HEALTHCHECK_CLIENT_STEM.crt" --key="$ETCD_HEALTHCHECK_CLIENT_STEM.key" "$@"
)

local_etcdctl 1700 defrag
