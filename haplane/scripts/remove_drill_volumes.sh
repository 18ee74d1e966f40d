# Remove the programs of a drill's volumes, and the sockets that its driver left if it was killed.
# $driver: its name

rm -rf "$DRILL_PROGRAMS" "${KUBELET_PLUGINS:?}/$driver"
rm -f "$KUBELET_PLUGIN_REGISTRY/$driver-reg.sock"
