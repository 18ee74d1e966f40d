# Replace the pods of a DaemonSet on one node, and wait until they are back. The node may be registering just now.
# $node: its name
# $namespace: the DaemonSet's
# $daemonset: its name
# $selector: of its pods, by their labels
# uses: wait_for api

registered() { api 20 get "node/$node" -o name; }
wait_for 60 "node $node is registered" registered
api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s

# What failed for long is tried again only minutes later, unless the object changes.
api 10 --namespace="$namespace" annotate --overwrite "daemonset/$daemonset" "haplane.io/pods-replaced-at=$(date +%s)"
api 0 --namespace="$namespace" rollout status "daemonset/$daemonset" --timeout=90s
