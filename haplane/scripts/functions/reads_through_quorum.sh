# reads_through_quorum: the etcd member on this host does. Not `endpoint health`: that fails on every member while etcd has
# an alarm about space, which stops no read.
# uses: local_etcdctl

reads_through_quorum() {
    local_etcdctl 2 get haplane-health
}
