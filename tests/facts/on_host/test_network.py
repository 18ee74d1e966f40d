"""A port's program by its name, where the name proves something."""

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
