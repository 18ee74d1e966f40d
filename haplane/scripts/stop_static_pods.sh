# Stop all static pods for good, and wait until the API server has ended.
# uses: control_plane

mkdir -p "$STOPPED_STATIC_PODS"
for manifest in "$STATIC_PODS"/*.yaml; do
    test ! -e "$manifest" || mv -f "$manifest" "$STOPPED_STATIC_PODS/"
done
control_plane gone 100 kube-apiserver
