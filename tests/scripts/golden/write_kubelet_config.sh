set -eu
KUBEADM_PATCHES='/etc/kubernetes/haplane/patches'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
KUBELET_FLAGS_ENV='/var/lib/kubelet/kubeadm-flags.env'
note_program='the note_program'

note() {
    python3 -I -c "$note_program" "$@"
}

# kubeadm reads these two before it writes, and fails where they are not there.
test -e "$KUBELET_CONFIG_YAML" || (umask 077 && : > "$KUBELET_CONFIG_YAML")
grep -q '^KUBELET_KUBEADM_ARGS=' "$KUBELET_FLAGS_ENV" 2>/dev/null || echo 'KUBELET_KUBEADM_ARGS=""' > "$KUBELET_FLAGS_ENV"
kubeadm upgrade node phase kubelet-config --patches="$KUBEADM_PATCHES"
note "$KUBELET_CONFIG_YAML"
