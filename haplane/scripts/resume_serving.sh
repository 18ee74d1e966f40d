# Let the control plane of this master start again, with a fresh kubelet. The API server's
# manifest is made anew where kubeadm's configuration has changed.

if [ -e "$MOVED_APISERVER_MANIFEST" ] && [ ! -e "$APISERVER_MANIFEST" ]; then
    # shellcheck disable=SC3013 # dash and bash have it
    if [ "$KUBEADM_CONFIG_YAML" -nt "$MOVED_APISERVER_MANIFEST" ]; then
        kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML" >/dev/null
        rm -f "$MOVED_APISERVER_MANIFEST"
    else
        mv -f "$MOVED_APISERVER_MANIFEST" "$APISERVER_MANIFEST"
    fi
fi
for component in kube-controller-manager kube-scheduler; do
    if [ -e "$HAPLANE/$component.yaml" ] && [ ! -e "$STATIC_PODS/$component.yaml" ]; then
        mv -f "$HAPLANE/$component.yaml" "$STATIC_PODS/$component.yaml"
    fi
done
if [ -e "$KUBELET_CONFIG_YAML" ]; then systemctl restart kubelet.service; fi
