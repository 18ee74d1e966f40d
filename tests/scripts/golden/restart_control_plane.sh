set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
MOVED_APISERVER_MANIFEST='/etc/kubernetes/haplane/kube-apiserver.yaml'
control_plane_program='the control_plane_program'
note_program='the note_program'
port='the port'

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
    case $leader in "$(hostname)"_*) ;; *) return 0 ;; esac
    unchanged='{"op": "test", "path": "/spec/holderIdentity", "value": "'$leader'"}'
    free='{"op": "replace", "path": "/spec/holderIdentity", "value": ""}'
    api 20 -n kube-system patch lease "$1" --type=json --patch="[$unchanged, $free]" ||
        echo "$1: another holds its lease, or it expires by itself, within 15 s"
}

start_again() {
    control_plane back 0 kube-apiserver kube-controller-manager kube-scheduler
}

local_apiserver() {
    python3 -I -c '
import ssl, sys, urllib.error, urllib.request
port, path, seconds = sys.argv[1:]
proxy, tls = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
try:
    urllib.request.build_opener(proxy, tls).open(f"https://127.0.0.1:{port}{path}", timeout=float(seconds))
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(22 if isinstance(error, urllib.error.HTTPError) else 1)
' "$port" "$1" "$2"
}

# apiserver_answers SECONDS: whether it answers at all, an error too.
apiserver_answers() {
    local_apiserver /livez "$1" || test $? -eq 22
}

note() {
    python3 -I -c "$note_program" "$@"
}

kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML" --dry-run >/dev/null
trap 'test $? = 0 || { start_again; systemctl start kubelet.service; }' EXIT
if apiserver_answers 10 2>/dev/null; then
    stop_controllers
    control_plane stop 120 kube-apiserver
else
    systemctl stop kubelet.service
    control_plane away 0 kube-apiserver kube-controller-manager kube-scheduler
    control_plane kill 60 kube-apiserver kube-controller-manager kube-scheduler
    free_leases
fi
kubeadm init phase control-plane apiserver --config "$KUBEADM_CONFIG_YAML"
note "$APISERVER_MANIFEST"
rm -f "$MOVED_APISERVER_MANIFEST"
systemctl start kubelet.service
