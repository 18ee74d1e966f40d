# Become a command in the network of this host's CoreDNS pod.
# $newest_process: facts/on_host/static_pods.py drills/on_host/newest_process.py
# $@: the command

pod=$(python3 -I -c "$newest_process" coredns)
exec nsenter --net --target "$pod" "$@"
