"""What exists once in a cluster, applied through the API by whichever master is asked."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation

KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --request-timeout=20s"
KUBECTL_WAIT = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"

DAEMON_SETS = '{range .items[?(@.kind=="DaemonSet")]}{.metadata.namespace}/{.metadata.name} {end}'

APPLY = f"""
set -eu
DAEMON_SETS='{DAEMON_SETS}'
config=$1 patch=$2 applied=$3 proxy=$4 dns=$5
shift 5
made() {{
    {KUBECTL} --namespace=kube-system get configmap/haplane --ignore-not-found -o jsonpath="{{.data.$1}}"
}}
there() {{
    test -n "$({KUBECTL} --namespace=kube-system get "$1" --ignore-not-found -o name)"
}}
network=$(mktemp /run/haplane.XXXXXX)
trap 'rm -f "$network"' EXIT
cat > "$network"
kubeadm init phase upload-config all --config "$config"
kubeadm init phase bootstrap-token --config "$config" --skip-token-print &
bootstrap=$!
(
    older=$(if there daemonset/kube-proxy && [ "$(made proxy)" != "$proxy" ]; then echo yes; fi)
    kubeadm init phase addon kube-proxy --config "$config"
    if [ -n "$older" ]; then
        {KUBECTL} --namespace=kube-system rollout restart daemonset/kube-proxy
    fi
) &
proxy_addon=$!
{KUBECTL_WAIT} wait --for=create --timeout=10s "$@" &&
    {KUBECTL_WAIT} wait --for=jsonpath='{{.spec.podCIDR}}' --timeout=10s "$@" || missing=yes
{KUBECTL} apply --server-side --force-conflicts --field-manager=haplane -f "$network"
if [ -z "${{missing:-}}" ]; then
    for set in $({KUBECTL} get -f "$network" -o jsonpath="$DAEMON_SETS"); do
        {KUBECTL_WAIT} --namespace="${{set%%/*}}" rollout status daemonset "${{set#*/}}" --timeout=10s || true
    done
fi
if ! there deployment/coredns || [ "$(made dns)" != "$dns" ]; then
    kubeadm init phase addon coredns --config "$config"
    {KUBECTL} --namespace=kube-system patch deployment coredns --type=strategic --patch "$patch"
fi
wait $bootstrap
wait $proxy_addon
{KUBECTL} --namespace=kube-system create configmap haplane --from-literal=applied="$applied" \\
    --from-literal=proxy="$proxy" --from-literal=dns="$dns" \\
    --dry-run=client -o json | {KUBECTL} apply --server-side --force-conflicts --field-manager=haplane -f -
"""
"""Each step waits for what the next one would otherwise fail on and back off from for 10 s: flannel for the nodes'
pod networks, CoreDNS for flannel. 10 s at most: more than it saves is not worth waiting, and a node may be gone for
good; of one that is not there no pod is waited for. The ConfigMap comes last: it says that all of it was applied, so
an interrupted run is taken up again. kube-proxy reads its configuration only when it starts: pods that are older than
it start anew."""

MARK = f"""
set -eu
{KUBECTL_WAIT} wait --for=create --timeout=60s $(printf 'node/%s ' $2) >/dev/null
{KUBECTL} label --overwrite node $2 node-role.kubernetes.io/control-plane= \\
    node.kubernetes.io/exclude-from-external-load-balancers=
case $1 in
taint) {KUBECTL} taint --overwrite node $2 node-role.kubernetes.io/control-plane=:NoSchedule ;;
untaint) {KUBECTL} taint node $2 node-role.kubernetes.io/control-plane:NoSchedule- || true ;;
esac
"""


@operation()
def apply_once(
    *, config: str, manifest: str, patch: str, applied: str, proxy: str, dns: str, nodes: Sequence[str]
) -> Generator[StringCommand, None, None]:
    """Upload kubeadm's configuration, the bootstrap rules and the add-ons, and apply the pod network.

    + config: kubeadm's configuration on the host
    + manifest: the pod network's YAML
    + patch: a strategic merge patch of CoreDNS's Deployment
    + applied: the fingerprint kept of all this in the ConfigMap kube-system/haplane
    + proxy: the fingerprint of kube-proxy's configuration, kept there as well
    + dns: the fingerprint of what CoreDNS is made from, kept there as well
    + nodes: the nodes that must have registered and got their pod network before its pods start
    """
    words = [QuoteString(word) for word in (config, patch, applied, proxy, dns, *(f"node/{name}" for name in nodes))]
    yield StringCommand("sh", "-c", QuoteString(APPLY), "sh", *words, _stdin=manifest)


@operation()
def mark_masters(nodes: Sequence[str], *, run_pods: bool) -> Generator[StringCommand, None, None]:
    """Label nodes as masters, and taint them unless pods may run there.

    + nodes: their names
    + run_pods: whether pods that tolerate nothing may run on them
    """
    wish = "untaint" if run_pods else "taint"
    yield StringCommand("sh", "-c", QuoteString(MARK), "sh", wish, QuoteString(" ".join(nodes)))


DRAIN = f"""
set -eu
test -n "$({KUBECTL} get node "$1" --ignore-not-found -o name)" || exit 0
{KUBECTL_WAIT} drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout=300s
"""
FORGET = f"""
set -eu
{KUBECTL} delete node "$1" --ignore-not-found --wait=false
{KUBECTL} delete pods --all-namespaces --field-selector=spec.nodeName="$1" --force --grace-period=0 --wait=false
"""


@operation()
def drain_node(node: str) -> Generator[StringCommand, None, None]:
    """Evict a node's pods and let nothing new onto it; one that the API server does not know is drained.

    + node: its name
    """
    yield StringCommand("sh", "-c", QuoteString(DRAIN), "sh", QuoteString(node))


@operation()
def forget_node(node: str) -> Generator[StringCommand, None, None]:
    """Delete a Node object and the pods bound to it: what ran there does not run any more.

    + node: its name
    """
    yield StringCommand("sh", "-c", QuoteString(FORGET), "sh", QuoteString(node))


@operation()
def wait_until_ready(nodes: Sequence[str], *, dns_everywhere: bool) -> Generator[StringCommand, None, None]:
    """Wait until these nodes are Ready and CoreDNS is available.

    + nodes: their names
    + dns_everywhere: every pod of it; one may be on a node that is gone, where it is not replaced for minutes
    """
    names = [QuoteString(f"node/{name}") for name in nodes]
    yield StringCommand(KUBECTL_WAIT, "wait --for=condition=Ready --timeout=90s", *names)
    dns = "rollout status" if dns_everywhere else "wait --for=condition=Available"
    yield StringCommand(KUBECTL_WAIT, "--namespace=kube-system", dns, "deployment/coredns --timeout=90s")
