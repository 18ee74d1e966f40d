set -eu
control_plane_program='the control_plane_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

control_plane crash 0 kube-apiserver
