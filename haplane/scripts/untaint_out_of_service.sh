# Undo taint_out_of_service.sh. May be run again.
# $node: its name

keys=$(kubectl --kubeconfig="$ADMIN_KUBECONFIG" get --output='jsonpath={.spec.taints[*].key}' -- node "$node")
case " $keys " in *" node.kubernetes.io/out-of-service "*)
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" taint -- node "$node" node.kubernetes.io/out-of-service- ;;
esac
