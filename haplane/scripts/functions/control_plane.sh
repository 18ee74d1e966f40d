# control_plane VERB SECONDS COMPONENT...: what control_plane.py does.
# $control_plane_program: facts/on_host/probe.py facts/on_host/static_pods.py operations/on_host/control_plane.py

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}
