"""The embedded lab with 5 masters, in a network of its own."""

_NETWORK = "10.89.5"


def _host(name: str, number: int) -> tuple[str, dict[str, str]]:
    address = f"{_NETWORK}.{number}"
    return name, {"address": address, "ssh_hostname": address}


_ssh = {
    "ssh_user": "root",
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}

masters = ([_host("m1", 21), _host("m2", 22), _host("m3", 23), _host("m4", 24), _host("m5", 25)], _ssh)
load_balancers = ([_host("lb1", 11), _host("lb2", 12)], _ssh)

cluster = {
    "name": "lab5",
    "endpoint": f"{_NETWORK}.10:6443",
    "flannel_backend": "host-gw",
    "keepalived": {"advert_seconds": 0.3},
    "package_directory": "~/.cache/haplane/lab/packages",  # the lab reaches no repository
    "tuning": "nested",
    "lab": {"network": f"{_NETWORK}.0/24", "gateway": f"{_NETWORK}.1", "bridge": "haplane5"},
}
