set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
DEADLINE_MARK='deadline passed:'

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

api() (
    seconds=$1
    shift
    kubectl --kubeconfig="$ADMIN_KUBECONFIG" --request-timeout="${seconds}s" "$@"
)

bind_kubelet_admin() {
    api 20 create clusterrolebinding kubeadm:apiserver-kubelet-client --clusterrole=system:kubelet-api-admin \
        --user=kube-apiserver-kubelet-client --dry-run=client -o json |
        api 20 apply --server-side --force-conflicts --field-manager=haplane -f -
}

wait_for 60 "API servers' right to use kubelets is bound" bind_kubelet_admin
