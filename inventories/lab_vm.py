"""The lab of virtual machines, for a computer with KVM: 3 masters and 2 load balancers, 7 GiB of memory in use.

    haplane lab up inventories/lab_vm.py
    haplane up inventories/lab_vm.py

Each host has a kernel, a clock, a page cache and a disk of its own. Without KVM they are emulated, which five of them
are too many for: use lab_vm1.py, or lab.py.
"""

_NETWORK = "10.89.7"


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
    "name": "lab-vm",
    "endpoint": f"{_NETWORK}.10:6443",
    "package_directory": "~/.cache/haplane/lab/packages-vm-13",  # the lab reaches no repository
    "lab": {
        "network": f"{_NETWORK}.0/24",
        "gateway": f"{_NETWORK}.1",
        "bridge": "haplane7",
        "machines": "qemu",
        "debian": 13,
        "nat_interface_hosts": ["m3"],  # a first interface that holds the default route and must not be picked
        "bare_hosts": ["lb2"],  # starts without haproxy and keepalived
    },
}
