set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
daemonset='the daemonset'
namespace='the namespace'
node='the node'
selector='the selector'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s

# What failed for long is tried again only minutes later, unless the object changes.
api 10 --namespace="$namespace" annotate --overwrite "daemonset/$daemonset" "haplane.io/pods-replaced-at=$(date +%s)"
api 0 --namespace="$namespace" rollout status "daemonset/$daemonset" --timeout=90s
