set -eu
control_plane_program='the control_plane_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

systemctl stop kubelet.service
control_plane back 0 kube-apiserver kube-controller-manager kube-scheduler
