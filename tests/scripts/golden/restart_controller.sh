set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
component='the component'
control_plane_program='the control_plane_program'

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

read_lease() {
    api 20 -n kube-system get lease "$component" --ignore-not-found -o jsonpath="{.spec.$1}"
}

holder=$(read_lease holderIdentity)
renewed=$(read_lease renewTime)
trap 'test $? = 0 || control_plane back 0 "$component"' EXIT
control_plane stop 60 "$component"
if test -n "$holder"; then
    unchanged='{"op": "test", "path": "/spec/holderIdentity", "value": "'$holder'"}'
    unrenewed='{"op": "test", "path": "/spec/renewTime", "value": "'$renewed'"}'
    free='{"op": "replace", "path": "/spec/holderIdentity", "value": ""}'
    api 20 -n kube-system patch lease "$component" --type=json --patch="[$unchanged, $unrenewed, $free]" ||
        echo "$component: its lease was renewed meanwhile"
fi
control_plane start 90 "$component"
