set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
deadline_seconds='the deadline_seconds'
set -- 'first' 'second; with '\''quotes'\'''

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

for one in "$@"; do
    api 0 --namespace="${one%%/*}" rollout status "${one#*/}" --timeout="${deadline_seconds}s"
done
