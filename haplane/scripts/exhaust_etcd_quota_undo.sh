# Undo exhaust_etcd_quota.sh: the quota of before, and no alarm. May be run again.
# uses: wait_for local_etcdctl

if test -e "$FAULT_ETCD_DROP_IN"; then
    rm "$FAULT_ETCD_DROP_IN"
    systemctl daemon-reload
    systemctl restart etcd.service
fi
wait_for 40 "etcd clears its alarms" local_etcdctl 5 alarm disarm
wait_for 20 "etcd deletes what the drill wrote" local_etcdctl 5 del haplane-drill/fill
