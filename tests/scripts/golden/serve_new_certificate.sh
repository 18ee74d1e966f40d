set -eu
DEADLINE_MARK='deadline passed:'
KUBELET_CONFIG_YAML='/var/lib/kubelet/config.yaml'
KUBELET_SERVING_CRT='/var/lib/kubelet/pki/kubelet.crt'
kubelet_serves='the kubelet_serves'

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
    python3 -I -c "$kubelet_serves" "$KUBELET_SERVING_CRT"
}

if grep -qx 'serverTLSBootstrap: true' "$KUBELET_CONFIG_YAML"; then
    echo "it serves the certificate that it has requested, until it is configured anew"
    exit 0
fi
wait_for 20 "the kubelet serves its new certificate" serves_certificate 2>/dev/null ||
    systemctl restart kubelet.service
wait_for 60 "the kubelet serves its new certificate" serves_certificate
