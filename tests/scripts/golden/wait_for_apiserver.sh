set -eu
control_plane_program='the control_plane_program'
deadline_seconds='the deadline_seconds'
port='the port'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

control_plane ready "$deadline_seconds" "$port"
