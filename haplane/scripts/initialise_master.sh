# $config: kubeadm's configuration
# $skipped: phases, with commas between
# uses: note local_apiserver

# On a slow machine kubeadm gives an API server up that is still starting. While it answers, it gets as long again.
if ! kubeadm init --config "$config" --skip-phases="$skipped"; then
    local_apiserver /livez 20 2>/dev/null || test $? -eq 22
    kubeadm init --config "$config" --skip-phases="$skipped,preflight"
fi
note "$APISERVER_MANIFEST" "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST" "$KUBELET_CONFIG_YAML"
