import shlex

from haplane.checks.connection import ssh_arguments
from haplane.config.model import Host, Ssh


def test_options_survive_a_shell():
    ssh = Ssh.model_construct(hostname="m1", known_hosts_file="/a dir/known", strict_host_key_checking="yes")
    host = Host.model_construct(name="m1", ssh=ssh)
    words = shlex.split(ssh_arguments(host))
    assert words[::2] == ["-o"] * (len(words) // 2)
    assert 'UserKnownHostsFile="/a dir/known"' in words
    assert "BatchMode=yes" in words
    assert "StrictHostKeyChecking=yes" in words
