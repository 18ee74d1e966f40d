# Clear all of etcd's alarms; one that still has a cause is raised again.
# uses: wait_for local_etcdctl

wait_for 40 "etcd clears its alarms" local_etcdctl 5 alarm disarm
