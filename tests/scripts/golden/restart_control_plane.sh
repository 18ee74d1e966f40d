set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
APISERVER_ETCD_CLIENT_CRT='/etc/kubernetes/pki/apiserver-etcd-client.crt'
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
AUDIT_POLICY_YAML='/etc/kubernetes/haplane/audit-policy.yaml'
AUTHENTICATION_YAML='/etc/kubernetes/haplane/authentication.yaml'
ENCRYPTION_YAML='/etc/kubernetes/haplane/encryption.yaml'
ETCD_CA_CRT='/etc/kubernetes/pki/etcd/ca.crt'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
KUBERNETES_CA_CRT='/etc/kubernetes/pki/ca.crt'
KUBERNETES_PKI='/etc/kubernetes/pki'
MOVED_APISERVER_MANIFEST='/etc/kubernetes/haplane/kube-apiserver.yaml'
SERVICE_ACCOUNT_STEM='/etc/kubernetes/pki/sa'
control_plane_program='the control_plane_program'
note_program='the note_program'
port='the port'
request_apiserver='the request_apiserver'

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

local_apiserver() {
    python3 -I -c "$request_apiserver" "$port" "$1" "$2"
}

# apiserver_answers SECONDS: whether it answers at all, an error too.
apiserver_answers() {
    local_apiserver /livez "$1" || test $? -eq 22
}

note() {
    python3 -I -c "$note_program" "$@"
}

kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML" --dry-run >/dev/null
for stem in apiserver apiserver-kubelet-client front-proxy-client; do
    if ! [ -s "$KUBERNETES_PKI/$stem.crt" ] || ! [ -s "$KUBERNETES_PKI/$stem.key" ]; then
        kubeadm init phase certs "$stem" --config "$KUBEADM_CONFIG_YAML"
    fi
done
for file in "$KUBERNETES_CA_CRT" "$ETCD_CA_CRT" "$APISERVER_ETCD_CLIENT_CRT" "$SERVICE_ACCOUNT_STEM.key" \
    "$SERVICE_ACCOUNT_STEM.pub" "$ENCRYPTION_YAML" "$AUTHENTICATION_YAML" "$AUDIT_POLICY_YAML"; do
    if ! [ -s "$file" ]; then
        echo "$file is missing: the API server would not start again" >&2
        exit 1
    fi
done
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
