# Give this member a quota that is a little above what it has, and write one key until etcd raises the alarm NOSPACE.
# uses: wait_for local_etcdctl

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
