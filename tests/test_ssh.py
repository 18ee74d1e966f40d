"""What the user's ssh_config lends to a host: nothing, whoever of haplane calls ssh."""

import shlex
import subprocess

import pytest
import samples

from haplane.lab import identity
from haplane.lab.plan import LabHost
from haplane.remote.openssh import ssh_command
from haplane.ssh import ssh_words

GENEROUS = """
Host *
    ForwardAgent yes
    ForwardX11 yes
    GSSAPIDelegateCredentials yes
    RemoteForward 9999 localhost:22
    LocalForward 9998 localhost:22
    DynamicForward 9997
    Tunnel yes
    PermitLocalCommand yes
    LocalCommand id
    RemoteCommand id
    RequestTTY force
    UpdateHostKeys yes
    SendEnv AWS_* KUBECONFIG
    SendEnv *_TOKEN
    SetEnv VAULT_TOKEN=secret
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config").write_text(GENEROUS)
    return str(tmp_path / "config")


def in_effect(command):
    """The options that ssh itself takes from a command line, by name."""
    words = command[command.index("ssh") + 1 :]
    done = subprocess.run(["ssh", "-G", *words], capture_output=True, text=True, check=True)
    assert "option" not in done.stderr  # one that this ssh does not know
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def lends_nothing(options):
    wanted = {
        "forwardagent": "no", "forwardx11": "no", "gssapidelegatecredentials": "no", "clearallforwardings": "yes",
        "tunnel": "false", "permitlocalcommand": "no", "requesttty": "false", "updatehostkeys": "false",
    }  # fmt: skip
    assert {name: options.get(name) for name in wanted} == wanted
    assert options["setenv"] == "LC_ALL=C"
    assert not options.keys() & {"remoteforward", "localforward", "dynamicforward", "remotecommand"}
    return True


def test_a_host_is_lent_nothing(config, tmp_path):
    host = samples.host("m1", 21)
    ssh = {"config_file": config, "known_hosts_file": f"{tmp_path}/known hosts", "key": "/k e/y", "user": "operator"}
    host = host.model_copy(update={"ssh": host.ssh.model_copy(update=ssh)})
    options = in_effect(ssh_command(host, "true"))
    assert lends_nothing(options)
    assert options["userknownhostsfile"] == f"{tmp_path}/known hosts"
    assert (options["identityfile"], options["identitiesonly"]) == ("/k e/y", "yes")
    assert (options["user"], options["hostname"], options["batchmode"]) == ("operator", host.ssh.hostname, "yes")


def test_no_variable_of_this_machine_is_sent(config, tmp_path, monkeypatch):
    """ssh_config's SendEnv cannot be undone by an option: those variables are not there when a session begins."""
    ours = {"AWS_SECRET_ACCESS_KEY": "1", "KUBECONFIG": "2", "CI_TOKEN": "3", "HTTP_PROXY": "stays"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    host = samples.host("m1", 21)
    command = ssh_command(
        host.model_copy(update={"ssh": host.ssh.model_copy(update={"config_file": config})}), "true"
    )
    (tmp_path / "ssh").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "HTTP_PROXY=stays" in said
    assert [name for name in ours if any(line.startswith(f"{name}=") for line in said)] == ["HTTP_PROXY"]


def test_nor_is_a_host_of_the_lab(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}/a cache")
    host = LabHost.__new__(LabHost)
    object.__setattr__(host, "address", "10.89.0.21")
    options = in_effect(identity.ssh_command(host, "true"))
    assert options["userknownhostsfile"] == f"{tmp_path}/a cache/haplane/lab/known_hosts"
    assert options["stricthostkeychecking"] == "true"
    assert in_effect(shlex.split(identity.login_command(host)))["userknownhostsfile"] == options["userknownhostsfile"]


def test_what_is_not_named_is_the_users(config):
    options = in_effect(["ssh", *ssh_words(host_key_checking="accept-new", config=config), "m1"])
    assert lends_nothing(options)
    assert "known_hosts" in options["userknownhostsfile"]
    assert (options["connecttimeout"], options["serveraliveinterval"]) == ("10", "5")
