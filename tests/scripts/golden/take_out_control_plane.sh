set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
control_plane_program='the control_plane_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

stop_controllers() {
    control_plane stop 60 kube-controller-manager kube-scheduler
    free_leases
}

free_leases() {
    for component in kube-controller-manager kube-scheduler; do
        free_lease "$component"
    done
}

free_lease() {
    if ! leader=$(api 20 -n kube-system get lease "$1" --ignore-not-found -o jsonpath='{.spec.holderIdentity}' 2>&1)
    then
        echo "$1: its lease expires by itself, within 15 s: $leader"
        return 0
    fi
    node=$(sed -n 's/^  name: "\(.*\)"$/\1/p' "$KUBEADM_CONFIG_YAML" 2>/dev/null) || node=
    case $leader in "$(hostname)"_* | "${node:-$(hostname)}"_*) ;; *) return 0 ;; esac
    unchanged='{"op": "test", "path": "/spec/holderIdentity", "value": "'$leader'"}'
    free='{"op": "replace", "path": "/spec/holderIdentity", "value": ""}'
    api 20 -n kube-system patch lease "$1" --type=json --patch="[$unchanged, $free]" ||
        echo "$1: another holds its lease, or it expires by itself, within 15 s"
}

start_again() {
    control_plane back 0 kube-apiserver kube-controller-manager kube-scheduler
}

trap 'test $? = 0 || start_again' EXIT
stop_controllers
control_plane stop 100 kube-apiserver
