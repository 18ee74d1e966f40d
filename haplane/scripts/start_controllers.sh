# Write the manifests of the scheduler and the controller manager, and wait until both are healthy.
# uses: control_plane note

for component in controller-manager scheduler; do
    kubeadm init phase control-plane "$component" --config "$KUBEADM_CONFIG_YAML"
done
note "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST"
control_plane start 90 kube-controller-manager kube-scheduler
