set -eu
KUBELET_CLIENT_PEM='/var/lib/kubelet/pki/kubelet-client-current.pem'
KUBELET_KUBECONFIG='/etc/kubernetes/kubelet.conf'
KUBELET_PKI='/var/lib/kubelet/pki'
KUBERNETES_CA_CRT='/etc/kubernetes/pki/ca.crt'
server='the server'
timestamp='the timestamp'

umask 077
made=${KUBELET_CLIENT_PEM%-current.pem}-$timestamp.pem
mkdir -p "$KUBELET_PKI"
cat > "$made.haplane-new"
sync "$made.haplane-new"
mv -f "$made.haplane-new" "$made"
ln -sfn "$made" "$KUBELET_CLIENT_PEM.haplane-new"
mv -fT "$KUBELET_CLIENT_PEM.haplane-new" "$KUBELET_CLIENT_PEM"
if ! [ -s "$KUBELET_KUBECONFIG" ]; then
    test -s "$KUBERNETES_CA_CRT"
    cat > "$KUBELET_KUBECONFIG.haplane-new" << END
apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster:
    server: $server
users:
- name: kubelet
  user:
    client-certificate: $KUBELET_CLIENT_PEM
    client-key: $KUBELET_CLIENT_PEM
contexts:
- name: kubelet
  context:
    cluster: kubernetes
    user: kubelet
current-context: kubelet
END
    mv -f "$KUBELET_KUBECONFIG.haplane-new" "$KUBELET_KUBECONFIG"
fi
sed -i -E "s,^( *client-(certificate|key))(-data)?:.*,\1: $KUBELET_CLIENT_PEM," "$KUBELET_KUBECONFIG"
sed -i -E "s,^([ -]*server):.*,\1: $server," "$KUBELET_KUBECONFIG"
if [ -s "$KUBERNETES_CA_CRT" ]; then
    ca=$(base64 -w 0 < "$KUBERNETES_CA_CRT")
    sed -i -E "/^ *(insecure-skip-tls-verify|certificate-authority(-data)?):/d" "$KUBELET_KUBECONFIG"
    sed -i -E "s,^( *)server:.*,\1certificate-authority-data: $ca\n&," "$KUBELET_KUBECONFIG"
fi
