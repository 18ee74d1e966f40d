# api SECONDS WORDS...: kubectl as the cluster's administrator; each request has so many seconds, 0 for as many as the
# command's own --timeout.

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)
