# Taint a node whose host has no power, so that its pods are deleted and its volumes detached at once.
# $node: its name

kubectl --kubeconfig="$ADMIN_KUBECONFIG" taint --overwrite -- node "$node" \
    node.kubernetes.io/out-of-service=haplane:NoExecute
