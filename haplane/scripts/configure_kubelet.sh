# Write the kubelet's configuration again from the one that the cluster keeps, and restart the kubelet.
# uses: wait_for note serves_certificate

healthy() {
    python3 -I -c '
import urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:10248/healthz", timeout=2)'
}
kubeadm upgrade node phase kubelet-config --patches="$KUBEADM_PATCHES"
note "$KUBELET_CONFIG_YAML"
systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" healthy
wait_for 30 "the kubelet serves the certificate on the disk" serves_certificate
