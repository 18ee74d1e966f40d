set -eu
CONTROLLER_MANAGER_MANIFEST='/etc/kubernetes/manifests/kube-controller-manager.yaml'
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
SCHEDULER_MANIFEST='/etc/kubernetes/manifests/kube-scheduler.yaml'
control_plane_program='the control_plane_program'
note_program='the note_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

note() {
    python3 -I -c "$note_program" "$@"
}

for component in controller-manager scheduler; do
    kubeadm init phase control-plane "$component" --config "$KUBEADM_CONFIG_YAML"
done
note "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST"
control_plane start 90 kube-controller-manager kube-scheduler
