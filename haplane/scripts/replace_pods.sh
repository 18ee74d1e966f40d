# Replace the pods of a DaemonSet on one node, and wait until they are back.
# $node: its name
# $namespace: the DaemonSet's
# $daemonset: its name
# $selector: of its pods, by their labels
# uses: api

api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s

# What failed for long is tried again only minutes later, unless the object changes.
api 10 --namespace="$namespace" annotate --overwrite "daemonset/$daemonset" "haplane.io/pods-replaced-at=$(date +%s)"
api 0 --namespace="$namespace" rollout status "daemonset/$daemonset" --timeout=90s
