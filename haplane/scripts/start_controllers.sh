# Write the manifests of the scheduler and the controller manager, and wait until both are healthy.
# $config: kubeadm's configuration
# uses: control_plane note

for component in controller-manager scheduler; do
    kubeadm init phase control-plane "$component" --config "$config"
done
note "$CONTROLLER_MANAGER_MANIFEST" "$SCHEDULER_MANIFEST"
control_plane start 90 kube-controller-manager kube-scheduler
