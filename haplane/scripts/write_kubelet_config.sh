# Write the kubelet's configuration again from the one that the cluster keeps. On a master from its own API server.
# uses: note

# kubeadm reads these two before it writes, and fails where they are not there.
test -e "$KUBELET_CONFIG_YAML" || (umask 077 && : > "$KUBELET_CONFIG_YAML")
grep -q '^KUBELET_KUBEADM_ARGS=' "$KUBELET_FLAGS_ENV" 2>/dev/null || echo 'KUBELET_KUBEADM_ARGS=""' > "$KUBELET_FLAGS_ENV"
kubeadm upgrade node phase kubelet-config --patches="$KUBEADM_PATCHES"
note "$KUBELET_CONFIG_YAML"
