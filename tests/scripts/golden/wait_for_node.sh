set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
DEADLINE_MARK='deadline passed:'
node='the node'
version='the version'

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

there() {
    seen=$(api 20 get "node/$node" \
        -o jsonpath='{.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}') || return 1
    echo "it reports $seen (version, Ready)"
    test "$seen" = "v$version True"
}
wait_for 90 "node $node is Ready with kubelet $version" there
