# Delete a Node object and the pods bound to it: what ran there does not run any more.
# $node: its name
# uses: api

api 20 delete --ignore-not-found --wait=false -- node "$node"
api 20 delete pods --all-namespaces --field-selector="spec.nodeName=$node" --force --grace-period=0 --wait=false
