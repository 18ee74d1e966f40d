set -eu
KUBEADM_CONFIG_YAML='/etc/kubernetes/haplane/kubeadm.yaml'
KUBERNETES='/etc/kubernetes'
KUBERNETES_PKI='/etc/kubernetes/pki'
set -- 'first' 'second; with '\''quotes'\'''

for name in "$@"; do
    case $name in
    *.conf)
        rm -f "$KUBERNETES/$name"
        kubeadm init phase kubeconfig "${name%.conf}" --config "$KUBEADM_CONFIG_YAML"
        ;;
    *)
        rm -f "$KUBERNETES_PKI/$name.crt" "$KUBERNETES_PKI/$name.key"
        kubeadm init phase certs "$name" --config "$KUBEADM_CONFIG_YAML"
        ;;
    esac
done
