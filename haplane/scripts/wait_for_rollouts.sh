# Wait until kube-proxy, CoreDNS and the pod network's DaemonSets run everywhere as they were last applied.
# $deadline_seconds: for how long, each
# $@: NAMESPACE/KIND/NAME of each
# uses: api

for one in "$@"; do
    api 0 --namespace="${one%%/*}" rollout status "${one#*/}" --timeout="${deadline_seconds}s"
done
