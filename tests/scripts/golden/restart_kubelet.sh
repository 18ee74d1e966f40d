set -eu
DEADLINE_MARK='deadline passed:'
KUBELET_SERVING_CRT='/var/lib/kubelet/pki/kubelet.crt'
is_healthy='the is_healthy'
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

systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" python3 -I -c "$is_healthy"
wait_for 30 "the kubelet serves the certificate on the disk" serves_certificate
