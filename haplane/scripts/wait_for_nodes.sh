# Wait until nodes are Ready and CoreDNS is available.
# $dns: "everywhere" for every pod of it; one may be on a node that is gone, where it is not replaced for minutes
# $@: the nodes' names
# uses: persistent_api

# shellcheck disable=SC2046 # names of nodes hold no blanks
persistent_api 0 wait --for=condition=Ready --timeout=90s $(printf 'node/%s ' "$@")
if [ "$dns" = everywhere ]; then
    persistent_api 0 --namespace=kube-system rollout status deployment/coredns --timeout=90s
else
    persistent_api 0 --namespace=kube-system wait --for=condition=Available deployment/coredns --timeout=90s
fi
