set -eu
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
CONTROLLER_MANAGER_MANIFEST='/etc/kubernetes/manifests/kube-controller-manager.yaml'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
MOVED_APISERVER_MANIFEST='/etc/kubernetes/haplane/kube-apiserver.yaml'
MOVED_CONTROLLER_MANAGER_MANIFEST='/etc/kubernetes/haplane/kube-controller-manager.yaml'
MOVED_SCHEDULER_MANIFEST='/etc/kubernetes/haplane/kube-scheduler.yaml'
SCHEDULER_MANIFEST='/etc/kubernetes/manifests/kube-scheduler.yaml'
note_program='the note_program'

note() {
    python3 -I -c "$note_program" "$@"
}

kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML"
note "$APISERVER_MANIFEST" "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST"
rm -f "$MOVED_APISERVER_MANIFEST" "$MOVED_CONTROLLER_MANAGER_MANIFEST" "$MOVED_SCHEDULER_MANIFEST"
