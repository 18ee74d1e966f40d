"""The embedded lab with etcd on 3 hosts of its own and no hosts for load balancers.

haproxy and keepalived run beside the API servers on the masters, so the endpoint has another port than theirs.
"""

_NETWORK = "10.89.6"


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
etcd = ([_host("e1", 41), _host("e2", 42), _host("e3", 43)], _ssh)

cluster = {
    "name": "lab-external-etcd",
    "endpoint": f"{_NETWORK}.10:8443",
    "flannel_backend": "host-gw",
    "keepalived": {"advert_seconds": 0.3},
    "package_directory": "~/.cache/haplane/lab/packages",  # the lab reaches no repository
    "tuning": "nested",
    "lab": {"network": f"{_NETWORK}.0/24", "gateway": f"{_NETWORK}.1", "bridge": "haplane6"},
}
