set -eu
DEADLINE_MARK='deadline passed:'
KUBELET_SERVING_CRT='/var/lib/kubelet/pki/kubelet.crt'

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

serves_certificate() {
    python3 -I -c '
import socket, ssl, sys
socket.setdefaulttimeout(2)
served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", 10250)))
if served != ssl.PEM_cert_to_DER_cert(open(sys.argv[1]).read()):
    sys.exit("it serves another certificate")' "$KUBELET_SERVING_CRT"
}

healthy() {
    python3 -I -c '
import urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://127.0.0.1:10248/healthz", timeout=2)'
}
systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" healthy
wait_for 30 "the kubelet serves the certificate on the disk" serves_certificate
