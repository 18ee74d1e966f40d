set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

api 20 delete --ignore-not-found --wait=false -- node "$node"
api 20 delete pods --all-namespaces --field-selector="spec.nodeName=$node" --force --grace-period=0 --wait=false
