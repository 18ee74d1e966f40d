# Restart the kubelet, and wait until it is healthy.
# uses: wait_for serves_certificate

healthy() {
    python3 -I -c '
import urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:10248/healthz", timeout=2)'
}
systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" healthy
wait_for 30 "the kubelet serves the certificate on the disk" serves_certificate
