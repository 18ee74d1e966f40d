set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'

keys=$(kubectl --kubeconfig="$ADMIN_KUBECONFIG" get node "$node" --output='jsonpath={.spec.taints[*].key}')
case " $keys " in *" node.kubernetes.io/out-of-service "*)
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" taint node "$node" node.kubernetes.io/out-of-service- ;;
esac
