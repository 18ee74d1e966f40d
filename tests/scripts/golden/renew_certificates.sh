set -eu
KUBERNETES='/etc/kubernetes'
KUBERNETES_PKI='/etc/kubernetes/pki'
config='the config'
set -- 'first' 'second; with '\''quotes'\'''

for name in "$@"; do
    case $name in
    *.conf)
        rm -f "$KUBERNETES/$name"
        kubeadm init phase kubeconfig "${name%.conf}" --config "$config"
        ;;
    *)
        rm -f "$KUBERNETES_PKI/$name.crt" "$KUBERNETES_PKI/$name.key"
        kubeadm init phase certs "$name" --config "$config"
        ;;
    esac
done
