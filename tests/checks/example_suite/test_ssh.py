"""Hosts stay reachable: the example of docs/verify.md."""

import pytest

testinfra_hosts = ["masters", "etcd"]


def test_ssh_after_a_reboot(host):
    """sshd is enabled."""
    assert host.service("ssh").is_enabled


@pytest.mark.parametrize("path", ["/etc", "/etc/hosts"])
def test_readable_by_everybody(host, path):
    assert host.file(path).mode & 0o444 == 0o444
