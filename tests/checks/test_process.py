"""Users' suites as ``haplane verify --suite`` runs them; ssh is a stub that runs the command here."""

from pathlib import Path

import pytest

from haplane.checks.process import collect, run, user_suite
from haplane.checks.user_suite import chosen_hosts
from haplane.config.load import load_inventory
from haplane.domain.progress import silent
from haplane.errors import BadInput

EXAMPLE = Path(__file__).parent / "example_suite"
SSH = """#!/bin/sh
for word; do
    case $word in
        -G | -O) exit ;;
        -N) master=yes ;;
        ControlPath=*) socket=${word#*=} ;;
    esac
done
if [ "${master-}" ]; then touch "$socket.log" "$socket"; exec sleep 600; fi
exec sh -c "$word"
"""
INVENTORY = """
masters = [(f"m{number}", {"address": f"10.0.0.{number}"}) for number in (1, 2, 3)]
workers = [("w1", {"address": "10.0.0.4"})]
cluster = {"name": "nowhere", "endpoint": "127.0.0.9:1", "endpoint_is_external": True}
"""


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    stub = tmp_path / "bin" / "ssh"
    stub.parent.mkdir()
    stub.write_text(SSH)
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
    (tmp_path / "inventory.py").write_text(INVENTORY)
    return load_inventory(tmp_path / "inventory.py")


@pytest.fixture
def suite(tmp_path):
    """Makes a suite of these files."""

    def make(**files):
        (tmp_path / "site").mkdir()
        for name, text in files.items():
            (tmp_path / "site" / f"{name}.py").write_text(text)
        return user_suite(str(tmp_path / "site"))

    return make


def test_plain_testinfra_tests_run_on_every_host_they_choose(inventory):
    found = run(user_suite(str(EXAMPLE)), inventory, progress=silent, options=["--unreachable=m3"])
    assert {check.group for check in found} == {"example_suite/test_ssh"}
    readable = {
        (check.check, check.host): check.outcome for check in found if check.check.startswith("test_readable")
    }
    hosts = {"m1": "passed", "m2": "passed", "m3": "skipped"}
    paths = ("/etc", "/etc/hosts")
    assert readable == {
        (f"test_readable_by_everybody path={path}", host): hosts[host] for path in paths for host in hosts
    }
    documented = [check for check in found if check.check == "sshd is enabled"]
    assert [check.host for check in documented] == ["m1", "m2", "m3"]


def test_a_failure_has_file_line_and_what_was_compared(inventory, suite):
    text = "def test_a(host):\n    print('half a line', end='')\n    assert host.file('/etc').mode == 1\n"
    found = run(suite(conftest="", test_a=text), inventory, progress=silent)
    assert [check.outcome for check in found] == ["failed"] * 4
    assert "test_a.py:3: assert 493 == 1" in found[0].message


@pytest.mark.parametrize(
    ("files", "where", "why"),
    [
        ({"test_a": "import nonsense\n"}, "test_a.py:1", "No module named 'nonsense'"),
        ({"test_a": "def test_a(host):\n    assert (\n"}, "test_a.py:2", "SyntaxError"),
        ({"test_a": "def test_a(host): ...\n", "conftest": "\nraise OSError('disk')\n"}, "conftest.py:2", "disk"),
        ({"test_a": "testinfra_hosts = ['m9']\ndef test_a(host): ...\n"}, ".py:", "testinfra_hosts names m9"),
        ({"test_a": "def test_a(host): ...\n", "test_b": "1 / 0\n"}, "test_b.py:1", "ZeroDivisionError"),
    ],
)
def test_a_suite_that_cannot_be_loaded_is_an_error_with_file_and_line(inventory, suite, files, where, why):
    with pytest.raises(BadInput, match="none of its checks counts") as caught:
        collect(suite(**files), inventory)
    assert where in caught.value.where
    assert why in caught.value.why


def test_a_suite_without_tests_is_refused(inventory, suite, tmp_path):
    with pytest.raises(BadInput, match="has no tests") as caught:
        collect(suite(test_a="def check(host): ...\n"), inventory)
    assert "no function named test_" in caught.value.why
    (tmp_path / "empty").mkdir()
    for directory, why in (("empty", "no file in it"), ("nowhere", "no such directory")):
        with pytest.raises(BadInput) as caught:
            user_suite(str(tmp_path / directory))
        assert why in caught.value.why


def test_hosts_are_chosen_by_name_and_by_group(inventory):
    def names(chosen):
        return [host.name for host in chosen_hosts(inventory, chosen)]

    assert names(None) == ["m1", "m2", "m3", "w1"]
    assert names(["w1", "masters"]) == ["m1", "m2", "m3", "w1"]
    assert names(["workers"]) == ["w1"]


def test_a_suite_that_everybody_can_change_is_not_run(suite):
    directory = suite(test_a="def test_a(host): ...\n").directory
    (directory / "test_a.py").chmod(0o666)
    with pytest.raises(BadInput, match="everybody on this machine can change this suite"):
        user_suite(str(directory))
