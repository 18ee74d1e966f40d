set -eu
KUBEADM_PATCHES='/etc/kubernetes/haplane/patches'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
note_program='the note_program'

note() {
    python3 -I -c "$note_program" "$@"
}

kubeadm upgrade node phase kubelet-config --patches="$KUBEADM_PATCHES"
note "$KUBELET_CONFIG_YAML"
