# Add a member that has no vote. Its peer URL may be there because an earlier request was answered too late, or because
# another member has it: $is_ours reports which.
# $name: the member's
# $url: where the others will dial it
# $is_ours: operations/on_host/is_ours.py
# uses: wait_for local_etcdctl

add() {
    output=$(local_etcdctl 5 member add --learner "--peer-urls=$url" -- "$name" 2>&1) && return 0
    case $output in *"Peer URLs already exists"*) return 0 ;; esac
    echo "$output"
    return 1
}
wait_for 130 "etcd adds $name as a learner" add
listed=$(local_etcdctl 2 member list -w json)
printf '%s' "$listed" | python3 -I -c "$is_ours" "$name" "$url"
