# Remove a member from the cluster. etcd refuses changes while it has just seen a member come or go; and it may have
# made one although its answer was lost.
# $id: the member's, in hexadecimal
# uses: wait_for local_etcdctl

remove() {
    output=$(local_etcdctl 5 member remove -- "$id" 2>&1) && return 0
    case $output in *"member not found"*) return 0 ;; esac
    echo "$output"
    return 1
}
wait_for 130 "etcd removes the member $id" remove
