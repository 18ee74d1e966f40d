# uses: wait_for local_etcdctl

answers() {
    local_etcdctl 2 endpoint status >/dev/null 2>&1 && return 0
    journalctl --unit=etcd --lines=5 --output=cat --no-pager
    return 1
}
wait_for 130 "this host's etcd answers" answers
