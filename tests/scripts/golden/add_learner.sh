set -eu
DEADLINE_MARK='deadline passed:'
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
is_ours='the is_ours'
name='the name'
url='the url'

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

add() {
    output=$(local_etcdctl 5 member add --learner "--peer-urls=$url" -- "$name" 2>&1) && return 0
    case $output in *"Peer URLs already exists"*) return 0 ;; esac
    echo "$output"
    return 1
}
wait_for 130 "etcd adds $name as a learner" add
listed=$(local_etcdctl 2 member list -w json)
printf '%s' "$listed" | python3 -I -c "$is_ours" "$name" "$url"
