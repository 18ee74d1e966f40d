# Write the kubelet's configuration again from the one that the cluster keeps. On a master its own API server is asked.
# uses: note

kubeadm upgrade node phase kubelet-config --patches="$KUBEADM_PATCHES"
note "$KUBELET_CONFIG_YAML"
