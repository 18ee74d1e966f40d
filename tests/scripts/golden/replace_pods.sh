set -eu
ADMIN_KUBECONFIG='/etc/kubernetes/admin.conf'
DEADLINE_MARK='deadline passed:'
daemonset='the daemonset'
namespace='the namespace'
node='the node'
selector='the selector'

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

registered() { api 20 get "node/$node" -o name; }
wait_for 60 "node $node is registered" registered
api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s

# What failed for long is tried again only minutes later, unless the object changes.
api 10 --namespace="$namespace" annotate --overwrite "daemonset/$daemonset" "haplane.io/pods-replaced-at=$(date +%s)"
api 0 --namespace="$namespace" rollout status "daemonset/$daemonset" --timeout=90s
