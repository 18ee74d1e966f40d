# Write the static pods' manifests again where nothing of the control plane runs.
# uses: note

kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML"
note "$APISERVER_MANIFEST" "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST"
rm -f "$MOVED_APISERVER_MANIFEST" "$MOVED_CONTROLLER_MANAGER_MANIFEST" "$MOVED_SCHEDULER_MANIFEST"
