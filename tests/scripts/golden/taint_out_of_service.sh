set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
node='the node'

kubectl --kubeconfig="$ADMIN_KUBECONFIG" taint --overwrite -- node "$node" \
    node.kubernetes.io/out-of-service=haplane:NoExecute
