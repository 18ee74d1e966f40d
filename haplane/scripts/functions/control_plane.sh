# control_plane VERB SECONDS COMPONENT...: what operations/on_host/control_plane.py does.
# $control_plane_program: that program

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}
