"""The user that ssh_config gives, told from the one that ssh takes where nobody gave any."""

import pytest

from haplane.config.model import Ssh
from haplane.remote import target


@pytest.fixture(autouse=True)
def _operator(monkeypatch):
    """As somebody who is called deploy, which is ssh's default then."""
    monkeypatch.setenv("LOGNAME", "deploy")
    monkeypatch.setattr(target, "configured", lambda _: {"user": "deploy"})
    target.login.cache_clear()
    yield
    target.login.cache_clear()


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("Host m1\n User deploy\n", "deploy"),
        ("User deploy", "deploy"),
        ("Match final host m1\n User deploy\n", "deploy"),
        ("Host other\n User deploy\n", "root"),
        ("Host m1\n Port 33", "root"),
        ("", "root"),
    ],
)
def test_a_user_of_ssh_config_who_is_called_as_the_operator_is_kept(tmp_path, text, user):
    """`ssh m1 true` worked as deploy, and haplane logged in as root."""
    path = tmp_path / "ssh config"
    path.write_text(text)
    path.chmod(0o664)  # ssh takes no such file by Include
    assert target.login(Ssh(hostname="m1", config_file=str(path))) == user


def test_the_systems_ssh_config_counts_after_the_users(tmp_path, monkeypatch):
    own, system = tmp_path / "own", tmp_path / "system"
    own.write_text("Host other\n User me")
    system.write_text("User deploy\n")
    monkeypatch.setattr(target, "_configurations", lambda _: [own, tmp_path / "none", system])
    assert target.login(Ssh(hostname="m1")) == "deploy"


def test_ssh_reads_its_own_files_unless_one_is_given():
    assert [str(path) for path in target._configurations(Ssh(hostname="m1"))][1:] == ["/etc/ssh/ssh_config"]
    assert [str(path) for path in target._configurations(Ssh(hostname="m1", config_file="/a b"))] == ["/a b"]
