set -eu
BOOTSTRAP_KUBECONFIG='/etc/kubernetes/bootstrap-kubelet.conf'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
KUBERNETES_CA_CRT='/etc/kubernetes/pki/ca.crt'
config='the config'
note_program='the note_program'

note() {
    python3 -I -c "$note_program" "$@"
}

trap 'rm -f "$config"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${config%/*}"
(umask 077 && cat > "$config")
rm -f "$KUBERNETES_CA_CRT" "$BOOTSTRAP_KUBECONFIG" # what an interrupted attempt has left
systemctl stop kubelet.service
systemctl enable --quiet kubelet.service
kubeadm join --config "$config"
note "$KUBELET_CONFIG_YAML"
