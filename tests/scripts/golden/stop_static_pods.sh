set -eu
STATIC_PODS='/etc/kubernetes/manifests'
STOPPED_STATIC_PODS='/etc/kubernetes/haplane/stopped'
control_plane_program='the control_plane_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

mkdir -p "$STOPPED_STATIC_PODS"
for manifest in "$STATIC_PODS"/*.yaml; do
    test ! -e "$manifest" || mv -f "$manifest" "$STOPPED_STATIC_PODS/"
done
control_plane gone 100 kube-apiserver
