# Evict a node's pods and let nothing new onto it; one that the API server does not know is drained.
# $node: its name
# uses: api

test -n "$(api 20 get --ignore-not-found -o name -- node "$node")" || exit 0
api 0 drain --ignore-daemonsets --delete-emptydir-data --force --timeout=300s -- "$node"
