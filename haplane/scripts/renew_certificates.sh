# Have kubeadm make certificates and kubeconfigs anew. Not `kubeadm certs renew`: it needs the old one to be readable,
# and copies the names in it.
# $@: kubeadm's names for them, as in `kubeadm certs check-expiration`

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
