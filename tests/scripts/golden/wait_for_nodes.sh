set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
dns='the dns'
set -- 'first' 'second; with '\''quotes'\'''

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

# shellcheck disable=SC2046 # names of nodes hold no blanks
api 0 wait --for=condition=Ready --timeout=90s $(printf 'node/%s ' "$@")
if [ "$dns" = everywhere ]; then
    api 0 --namespace=kube-system rollout status deployment/coredns --timeout=90s
else
    api 0 --namespace=kube-system wait --for=condition=Available deployment/coredns --timeout=90s
fi
