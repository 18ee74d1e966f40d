# Give a learner its vote as soon as it has caught up, which takes as long as its data take to copy.
# $id: the member's, in hexadecimal
# uses: wait_for local_etcdctl

promote() {
    output=$(local_etcdctl 5 member promote -- "$id" 2>&1) && return 0
    case $output in *"can only promote a learner member") return 0 ;; esac # it has its vote; the other begins alike
    echo "$output"
    return 1
}
wait_for 1700 "the learner $id has caught up and votes" promote
