# Join the cluster as a worker. The configuration on standard input holds a token: it is a file only as long as this
# command runs, however it ends.
# $config: where it is put
# uses: note

trap 'rm -f "$config"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${config%/*}"
(umask 077 && cat > "$config")
rm -f "$KUBERNETES_CA_CRT" "$BOOTSTRAP_KUBECONFIG" # what an interrupted attempt has left
systemctl stop kubelet.service
systemctl enable --quiet kubelet.service
kubeadm join --config "$config"
note "$KUBELET_CONFIG_YAML"
