set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
port='the port'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

api 60 --server="https://127.0.0.1:$port" get secrets --all-namespaces --output=name > /dev/null
