"""The commands themselves, as far as no host has to answer."""

import json
import os
import subprocess
import sys

import pytest
import samples
from click.testing import CliRunner

import haplane
from haplane.bundle.manifest import MANIFEST
from haplane.cli.main import COMMANDS, cli

WITH_INVENTORY = [
    ["up"],
    ["up", "--dry-run"],
    ["status"],
    ["verify"],
    ["lab", "up"],
    ["lab", "down"],
    ["lab", "kill"],
    ["drill", "kill-master"],
]


def run(*arguments, **how):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **how)


@pytest.fixture
def inventory(tmp_path):
    """A sound inventory whose hosts are all switched off, and a bundle for it."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / MANIFEST).write_text(samples.manifest().model_dump_json())
    for file in samples.manifest().everything():
        (bundle / file.stored).write_bytes(b"x")
    known_hosts = str(tmp_path / "known_hosts")
    masters = [
        (f"m{number}", {"address": f"10.0.0.2{number}", "ssh_hostname": f"127.0.0.2{number}", "ssh_port": 9})
        for number in (1, 2, 3)
    ]
    cluster = {"name": "test", "endpoint": "127.0.0.30:9", "endpoint_is_external": True, "bundle": str(bundle)}
    path = tmp_path / "inventory.py"
    path.write_text(f"masters = ({masters!r}, {{'ssh_known_hosts_file': {known_hosts!r}}})\ncluster = {cluster!r}\n")
    return path


def haplane_process(*arguments):
    """As users start it, with gevent patched."""
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    words = [sys.executable, "-m", "haplane", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_help_and_version():
    assert run("--version").output.strip() == f"haplane, version {haplane.__version__}"
    help_text = run("-h")
    assert help_text.exit_code == 0
    assert set(cli.list_commands(None)) <= set(COMMANDS)
    assert all(f"\n  {name} " in help_text.output for name in ("up", "status", "verify", "bundle", "lab", "drill"))


@pytest.mark.parametrize("name", cli.list_commands(None))
def test_every_verb_explains_itself(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_an_unknown_verb_is_bad_input():
    assert run("teleport").exit_code == 2


@pytest.mark.parametrize("verb", WITH_INVENTORY, ids=" ".join)
def test_an_inventory_that_is_not_there_is_bad_input(verb, tmp_path):
    result = run(*verb, tmp_path / "missing.py")
    assert result.exit_code == 2
    assert str(tmp_path / "missing.py") in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("verb", [["up"], ["status"], ["verify"], ["lab", "status"]], ids=" ".join)
def test_a_bad_inventory_is_one_json_document(verb, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("masters = ['m1', 'm2']\ncluster = {'name': 'x', 'endpoint': '10.0.0.10'}\n")
    result = run(*verb, path, "--json")
    assert result.exit_code == 2
    said = json.loads(result.stdout)
    assert said["exit_code"] == 2
    assert "masters" in said["error"]


def test_up_without_a_bundle_says_how_to_get_one_before_it_contacts_anybody(inventory):
    text = inventory.read_text().replace("/bundle'", "/no-bundle'")
    inventory.write_text(text)
    result = run("up", inventory)
    assert result.exit_code == 2
    assert "haplane bundle build" in result.stderr


def test_up_with_json_asks_no_questions(inventory):
    result = run("up", inventory, "--json")
    assert result.exit_code == 2
    assert "--yes" in json.loads(result.stdout)["error"]


def test_watch_and_json_exclude_each_other(inventory):
    assert run("status", inventory, "--watch", "--json").exit_code == 2


def test_up_with_every_host_down_changes_nothing(inventory):
    done = haplane_process("up", inventory, "--yes")
    assert done.returncode == 3
    assert "m1, m2, m3 cannot be reached; nothing was changed" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_status_with_every_host_down_is_a_whole_document(inventory):
    done = haplane_process("status", inventory, "--json", "--check")
    assert done.returncode == 6
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["healthy"] is False
    assert said["cluster"]["uid"] is None
    assert [master["reachable"] for master in said["masters"]] == [False, False, False]
    assert said["etcd"]["quorum"] == {"voters": 3, "healthy": 0, "needed": 2, "can_lose": 0}


def test_status_for_people_with_every_host_down(inventory):
    done = haplane_process("status", inventory)
    assert done.returncode == 0
    assert "NOT HEALTHY" in done.stdout
    assert done.stdout.count("unreachable") == 3
