"""3 masters and 2 load balancers in virtual machines made by vagrant/Vagrantfile.

    cd vagrant && vagrant up && cd ..
    haplane up inventories/vagrant.py

Vagrant gives each host a first interface behind NAT that holds the default route, on VirtualBox even with the same
address everywhere. It is never picked: ``address`` is the one in the private network, here as in every inventory.

We have not started a published box: none can be downloaded where haplane is developed. Tests load this file and show
that no file on a host names the first interface or its address; the lab's host m3 has two such interfaces.
"""

import os
from pathlib import Path

_PROVIDER = os.environ.get("VAGRANT_DEFAULT_PROVIDER", "virtualbox")
_STATE = Path(__file__).absolute().parent.parent / "vagrant" / ".vagrant"


def _host(name: str, number: int) -> tuple[str, dict[str, str]]:
    address = f"192.168.56.{number}"
    key = _STATE / "machines" / name / _PROVIDER / "private_key"
    return name, {"address": address, "ssh_hostname": address, "ssh_key": str(key)}


_ssh = {
    "ssh_user": "vagrant",
    "ssh_known_hosts_file": str(_STATE / "known_hosts"),
    "ssh_strict_host_key_checking": "accept-new",
    "_sudo": True,
}

masters = ([_host("m1", 21), _host("m2", 22), _host("m3", 23)], _ssh)
load_balancers = ([_host("lb1", 11), _host("lb2", 12)], _ssh)

cluster = {
    "name": "vagrant",
    "endpoint": "192.168.56.10:6443",
}
