"""An example for your own hosts: copy it, and change names, addresses and keys.

Check it with `haplane up THIS_FILE --dry-run`: a wrong setting is refused before any host is contacted. With a
correct file the hosts are inspected and the plan is shown. Nothing is changed.
It is a plain pyinfra inventory: a group is a list of hosts, or a list and the data its hosts share.
"""

# How hosts are reached. Any of these may also be given for a single host. Relative paths are relative to this file.
# There is no setting for a password: use a key or an ssh agent, and sudo that needs no password. See docs/hosts.md.
_ssh = {
    "ssh_user": "admin",
    "_sudo": True,
    "ssh_key": "~/.ssh/id_ed25519",
    "ssh_known_hosts_file": "~/.ssh/known_hosts",
    "ssh_strict_host_key_checking": "yes",  # or "accept-new": record a host's key on first contact
    # "ssh_config_file": "~/.ssh/config",   # for jump hosts (ProxyJump)
}

# 3 masters survive the loss of one, 5 of two. `address` is the one in the cluster's network, never guessed from an
# interface; give ssh_hostname too where the host is reached in another way.
masters = (
    [
        ("master-1", {"address": "10.0.0.21", "ssh_hostname": "master-1.example.org"}),
        ("master-2", {"address": "10.0.0.22", "ssh_hostname": "master-2.example.org"}),
        ("master-3", {"address": "10.0.0.23", "ssh_hostname": "master-3.example.org"}),
    ],
    _ssh,
)

# haproxy and keepalived. Leave the group out and they run beside the API servers on the masters: the endpoint then
# needs another port than 6443, such as 8443.
load_balancers = (
    [
        ("balancer-1", {"address": "10.0.0.11"}),  # without ssh_hostname a host is reached at its address
        ("balancer-2", {"address": "10.0.0.12"}),
    ],
    _ssh,
)

# etcd runs on the masters. For hosts of its own, list 3, 5 or 7 of them:
# etcd = ([("etcd-1", {"address": "10.0.0.31"}), ...], _ssh)

# Workers are optional. A host that has containerd, a kubelet and the CNI plugins can also join later, with the
# stock `kubeadm join` that `haplane up` prints.
workers = ([("worker-1", {"address": "10.0.0.41"})], _ssh)

# Masters and etcd hosts to decommission: move their lines here, run `haplane up`, then remove them from this file.
# See docs/repair.md.
# leaving = ([("master-4", {"address": "10.0.0.24"})], _ssh)

cluster = {
    "name": "prod",
    # A free address of the hosts' network, held by one load balancer at a time. With a load balancer of your own:
    # its address or DNS name here, no group load_balancers, and "endpoint_is_external": True.
    "endpoint": "10.0.0.10:6443",
    "kubernetes_version": "1.36.3",
    # Another version: `haplane bundle pin VERSION` writes its lock, then `haplane bundle build INVENTORY`.
    # "bundle_lock": "kubernetes-1.36.6.lock.toml",
    # Networks that no host is in. These two, the domain and the port cannot be changed later.
    "pod_network": "10.244.0.0/16",
    "service_network": "10.96.0.0/16",
    # "dns_domain": "cluster.local",
    # "apiserver_port": 6443,  # of each API server; the endpoint has its own
    "flannel_backend": "vxlan",  # "host-gw" is faster where all nodes share one layer-2 network
    # "pod_network_manifest": "calico.yaml",  # another pod network instead of flannel
    # "proxy_mode": "nftables",  # kube-proxy's; "iptables" for kernels older than 5.13, or "ipvs"
    # Unique among the keepalived instances of that network, 1-255.
    "keepalived": {"router_id": 51, "advert_seconds": 0.5},
    "masters_run_pods": False,
    # How large etcd's database may become before it takes no more writes; 2 GiB is etcd's own default.
    # "etcd": {"quota_backend_bytes": 4 << 30},
    # After how many seconds an unresponsive node counts as NotReady, and after how many more its pods are replaced.
    "node_monitor_grace_seconds": 50,
    "unreachable_toleration_seconds": 300,
    # Snapshots of etcd and of the cluster's keys, each verified by restoring it. Without this mapping none are taken.
    # `haplane keys new FILE` makes the recipient, `haplane up` prints the signing_key; see docs/snapshots.md.
    # "snapshots": {
    #     "recipients": ["age1..."],
    #     "signing_key": "...",
    #     "interval_seconds": 60,
    #     "keep_local": {"last": 10, "hourly": 12, "daily": 3},
    #     "keep_remote": {"last": 60, "hourly": 48, "daily": 14, "weekly": 8, "monthly": 12},
    #     "s3": {"bucket": "etcd", "endpoint_url": "https://s3.example.org", "credentials_file": "~/.aws/etcd"},
    #     "on_failure": {"command": ["/usr/bin/logger", "-p", "daemon.err"]},
    # },
    # Settings of the components themselves: docs/hosts.md. Preflight checks of kubeadm's to ignore, by their names;
    # the lab's containers also need "containerd_restrict_oom_score_adj".
    # "tuning": {"kubelet": {"maxPods": 200}, "ignored_preflight_checks": ["NumCPU"]},
    # Where the bundle was built (`haplane bundle build`), and .deb files for hosts without a package mirror.
    # "bundle": "~/haplane-bundle",
    # "package_directory": "debs",
}
