set -eu
DEADLINE_MARK='deadline passed:'
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
FAULT_ETCD_DROP_IN='/run/systemd/system/etcd.service.d/haplane-drill.conf'

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

mkdir -p "$(dirname "$FAULT_ETCD_DROP_IN")"
quota=$(($(stat -c %s "$ETCD_MEMBER_DATA/snap/db") + (24 << 20)))
printf '[Service]\nEnvironment=ETCD_QUOTA_BACKEND_BYTES=%s\n' "$quota" >"$FAULT_ETCD_DROP_IN"
systemctl daemon-reload
systemctl restart etcd.service
wait_for 40 "etcd serves with the small quota" local_etcdctl 2 get haplane-health
value=$(mktemp)
head -c 1000000 /dev/urandom >"$value"
count=0
while failure=$(local_etcdctl 5 put haplane-drill/fill <"$value" 2>&1 >/dev/null); do
    count=$((count + 1))
    test "$count" -lt 100 || { echo "the quota was not reached"; exit 1; }
done
rm "$value"
case $failure in *"database space exceeded"*) ;; *) echo "$failure"; exit 1 ;; esac
