set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
description='the description'
lifetime='the lifetime'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

same=$(printf %s "$description" | base64 -w0)
for secret in $(api 20 --namespace=kube-system get secrets --field-selector=type=bootstrap.kubernetes.io/token \
    -o jsonpath="{range .items[?(@.data.description=='$same')]}{.metadata.name} {end}"); do
    api 20 --namespace=kube-system delete secret --ignore-not-found -- "$secret" >/dev/null
done
kubeadm token create --description "$description" --ttl "$lifetime" --print-join-command
