# Replace the pods of DaemonSets on one node, and wait until they are back.
# $node: its name
# $@: NAMESPACE/DAEMONSET/SELECTOR of each
# uses: api

for one in "$@"; do
    namespace=${one%%/*} daemonset=${one#*/}
    selector=${daemonset#*/}
    api 0 --namespace="$namespace" delete pods --selector="$selector" --field-selector="spec.nodeName=$node" --timeout=90s
    api 0 --namespace="$namespace" rollout status "daemonset/${daemonset%%/*}" --timeout=90s
done
