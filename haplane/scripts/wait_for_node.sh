# Wait until a node is Ready and its kubelet reports a version: the new one has registered.
# $node: its name
# $version: of Kubernetes, without a leading v
# uses: wait_for api

there() {
    seen=$(api 20 get "node/$node" \
        -o jsonpath='{.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}') || return 1
    echo "it reports $seen (version, Ready)"
    test "$seen" = "v$version True"
}
wait_for 90 "node $node is Ready with kubelet $version" there
