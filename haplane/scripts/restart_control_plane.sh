# Write the API server's manifest again and restart it, even where the manifest stays the same. The scheduler and the
# controller manager end before it and stay away; their leases are free. What was moved is moved back when this fails.
# A configuration that kubeadm refuses stops nothing.
# $config: kubeadm's configuration
# uses: control_plane stop_controllers note

kubeadm init phase control-plane all --config "$config" --dry-run >/dev/null
trap 'test $? = 0 || start_again' EXIT
stop_controllers
control_plane stop 120 kube-apiserver
kubeadm init phase control-plane apiserver --config "$config"
note "$APISERVER_MANIFEST"
rm -f "$MOVED_APISERVER_MANIFEST"
