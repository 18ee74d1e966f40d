"""A port's program by its name, where the name proves something."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from haplane.facts.on_host import network

LINE = 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=77,fd=3))\n'
POD = "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope\n"
SESSION = "0::/user.slice/user-1000.slice/user@1000.service/system.slice/kube-apiserver.service\n"


@pytest.mark.parametrize(
    ("owner", "groups", "program"),
    [
        (0, POD, "kube-apiserver"),
        (0, SESSION, "kube-apiserver"),
        (108, "0::/system.slice/haproxy.service\n", "kube-apiserver"),
        (1000, SESSION, "kube-apiserver (a user's)"),
        (65534, POD, "kube-apiserver (a user's)"),
    ],
)
def test_a_users_program_is_not_taken_for_the_control_planes(monkeypatch, owner, groups, program):
    monkeypatch.setattr(network, "output_of", lambda *_: LINE)
    monkeypatch.setattr(network, "read", lambda path: {"/proc/77/cgroup": groups}[path])
    monkeypatch.setattr(network.os, "stat", lambda path: {"/proc/77": SimpleNamespace(st_uid=owner)}[path])
    assert network.listening() == {"6443": program}


SPOOF = """import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "name", [b"a\nb", b"\nLISTEN 0 0 a:1", b"\xc2\x85x", b'etcd",pid=1,fd', b'kubelet",pid=1,', b'x",pid=1,fd=3']
)
def test_what_a_user_calls_a_process_neither_hides_ports_nor_makes_it_roots(monkeypatch, name):
    """With a line break in it no port of the host was known, and `up` refused the host; with pid=1 it was root's."""
    with subprocess.Popen(
        [sys.executable, "-c", SPOOF, name.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        monkeypatch.setattr(network, "of_the_system", lambda pid, user=str(process.pid): pid != user)
        port = process.stdout.readline().strip()
        found = network.listening()
        process.stdin.close()
    assert found[port].endswith(" (a user's)")
