set -eu
DEADLINE_MARK='deadline passed:'
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
ETCD_PKI='/etc/etcd/pki'
ETCD_SERVICE='/etc/systemd/system/etcd.service'

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

local_etcdctl() (
    seconds=$1
    shift
    etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$ETCD_MEMBER_CA_CRT" --command-timeout="${seconds}s" \
        --cert="$ETCD_HEALTHCHECK_CLIENT_STEM.crt" --key="$ETCD_HEALTHCHECK_CLIENT_STEM.key" "$@"
)

reads_through_quorum() {
    local_etcdctl 2 get haplane-health
}

started=$(systemctl show etcd.service --property=ExecMainStartTimestamp --value --timestamp=unix)
newer=$(find "$ETCD_PKI" "$ETCD_SERVICE" -type f -newermt "$started")
test -z "$newer" || wait_for 20 "this member reads through quorum" reads_through_quorum 2>/dev/null ||
    systemctl restart --no-block etcd.service
