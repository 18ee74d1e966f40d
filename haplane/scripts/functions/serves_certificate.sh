# serves_certificate: this host's kubelet serves with the certificate on the disk.
# $kubelet_serves: operations/on_host/kubelet_serves.py

serves_certificate() {
    python3 -I -c "$kubelet_serves" "$KUBELET_SERVING_CRT"
}
