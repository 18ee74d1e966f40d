set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
MADE_LABEL='haplane.node-restriction.kubernetes.io/made'
labels='the labels'
set -- 'first' 'second; with '\''quotes'\'''

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

label_as_wanted() {
    printf '%s\n' "$1" | while read -r node pairs; do
        # shellcheck disable=SC2086 # labels hold no blanks
        test -z "$node" || api 20 label --overwrite -- node "$node" $pairs
    done
}

# shellcheck disable=SC2046 # names of nodes hold no blanks
api 0 wait --for=create --timeout=60s $(printf 'node/%s ' "$@") >/dev/null
api 20 label --overwrite -- node "$@" "$MADE_LABEL="
label_as_wanted "$labels"
