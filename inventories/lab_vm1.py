"""One master in a virtual machine of this machine: a kernel, a clock and a disk of its own, small enough to emulate.

    haplane lab up inventories/lab_vm1.py
    haplane up inventories/lab_vm1.py

haproxy and keepalived run beside its API server, so the endpoint has another port than that.
"""

_NETWORK = "10.89.8"

_ssh = {
    "ssh_user": "root",
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}

masters = ([("vm1", {"address": f"{_NETWORK}.21", "ssh_hostname": f"{_NETWORK}.21"})], _ssh)

cluster = {
    "name": "lab-vm1",
    "endpoint": f"{_NETWORK}.10:8443",
    "allow_single_master": True,
    "lab": {
        "network": f"{_NETWORK}.0/24",
        "gateway": f"{_NETWORK}.1",
        "bridge": "haplane8",
        "machines": "qemu",
        "debian": 13,
        "memory_mib": 4096,
    },
}
