# Bind API servers' right to use kubelets to the name in their certificate, whatever groups it has. kubeadm 1.35.5 and
# newer give apiserver-kubelet-client no group and bind its right by this. In a cluster that an older one made nobody
# has: without it logs and exec are forbidden (kubernetes#138957).
# uses: api

bind_kubelet_admin() {
    api 20 create clusterrolebinding kubeadm:apiserver-kubelet-client --clusterrole=system:kubelet-api-admin \
        --user=kube-apiserver-kubelet-client --dry-run=client -o json |
        api 20 apply --server-side --force-conflicts --field-manager=haplane -f -
}
