set -eu
control_plane_program='the control_plane_program'
deadline_seconds='the deadline_seconds'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

control_plane start "$deadline_seconds" kube-controller-manager kube-scheduler
