set -eu
HAPLANE='/etc/kubernetes/haplane'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
STATIC_PODS='/etc/kubernetes/manifests'
config='the config'
manifest='the manifest'
moved='the moved'

if [ -e "$moved" ] && [ ! -e "$manifest" ]; then
    # shellcheck disable=SC3013 # dash and bash have it
    if [ "$config" -nt "$moved" ]; then
        kubeadm init phase control-plane all --config "$config" >/dev/null
        rm -f "$moved"
    else
        mv -f "$moved" "$manifest"
    fi
fi
for component in kube-controller-manager kube-scheduler; do
    if [ -e "$HAPLANE/$component.yaml" ] && [ ! -e "$STATIC_PODS/$component.yaml" ]; then
        mv -f "$HAPLANE/$component.yaml" "$STATIC_PODS/$component.yaml"
    fi
done
if [ -e "$KUBELET_CONFIG_YAML" ]; then systemctl restart kubelet.service; fi
