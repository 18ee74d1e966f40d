set -eu
DRILL_PROGRAMS='/var/lib/haplane/drill'
KUBELET_PLUGINS='/var/lib/kubelet/plugins'
KUBELET_PLUGIN_REGISTRY='/var/lib/kubelet/plugins_registry'
driver='the driver'

rm -rf "$DRILL_PROGRAMS" "${KUBELET_PLUGINS:?}/$driver"
rm -f "$KUBELET_PLUGIN_REGISTRY/$driver-reg.sock"
