set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

test -n "$(api 20 get --ignore-not-found -o name -- node "$node")" || exit 0
api 0 drain --ignore-daemonsets --delete-emptydir-data --force --timeout=300s -- "$node"
