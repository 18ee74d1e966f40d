set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'

keys=$(kubectl --kubeconfig="$ADMIN_KUBECONFIG" get --output='jsonpath={.spec.taints[*].key}' -- node "$node")
case " $keys " in *" node.kubernetes.io/out-of-service "*)
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" taint -- node "$node" node.kubernetes.io/out-of-service- ;;
esac
