# A bootstrap token in place of all others that were made for the same purpose, those of runs that were killed included:
# a token that nobody has been shown, or that has been followed by another, is gone.
# $description: what it is for
# $lifetime: in Go's words
# uses: api

same=$(printf %s "$description" | base64 -w0)
for secret in $(api 20 --namespace=kube-system get secrets --field-selector=type=bootstrap.kubernetes.io/token \
    -o jsonpath="{range .items[?(@.data.description=='$same')]}{.metadata.name} {end}"); do
    api 20 --namespace=kube-system delete secret --ignore-not-found -- "$secret" >/dev/null
done
kubeadm token create --description "$description" --ttl "$lifetime" --print-join-command
