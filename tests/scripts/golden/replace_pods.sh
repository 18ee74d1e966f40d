set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'
set -- 'first' 'second; with '\''quotes'\'''

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

for one in "$@"; do
    namespace=${one%%/*} daemonset=${one#*/}
    selector=${daemonset#*/}
    api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s
    api 0 --namespace="$namespace" rollout status "daemonset/${daemonset%%/*}" --timeout=90s
done
