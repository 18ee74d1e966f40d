"""The embedded lab: 3 masters with etcd, 2 load balancers, and plain hosts: a later worker, one for S3 servers.

The hosts are made from this file by `haplane lab up`, in a private network of this machine. It is a plain pyinfra
inventory: `pyinfra inventories/lab.py exec -- uptime` works as well.
"""

_NETWORK = "10.89.0"


def _host(name: str, number: int) -> tuple[str, dict[str, str]]:
    address = f"{_NETWORK}.{number}"
    return name, {"address": address, "ssh_hostname": address}


_ssh = {
    "ssh_user": "root",
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}

masters = ([_host("m1", 21), _host("m2", 22), _host("m3", 23)], _ssh)
load_balancers = ([_host("lb1", 11), _host("lb2", 12)], _ssh)

cluster = {
    "name": "lab",
    "endpoint": f"{_NETWORK}.10:6443",
    "flannel_backend": "host-gw",
    "keepalived": {"advert_seconds": 0.3},
    "package_directory": "~/.cache/haplane/lab/packages",  # the lab reaches no repository
    "tuning": "nested",  # what hosts nested in one kernel need; never use it for real hosts
    "lab": {
        "network": f"{_NETWORK}.0/24",
        "gateway": f"{_NETWORK}.1",
        "bridge": "haplane0",
        "nat_interface_hosts": ["m3"],  # a second interface that holds the default route and must not be picked
        "bare_hosts": ["lb2"],  # starts without haproxy and keepalived
        "extra_hosts": {"w1": f"{_NETWORK}.31", "s3": f"{_NETWORK}.40"},
    },
}
