"""What an operator can cause or meet, on machines with nothing on them: one message, its exit code, no traceback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from haplane.lab import lifecycle
from haplane.lab.paths import client_key, known_hosts
from haplane.remote import openssh

pytestmark = pytest.mark.lab

WRAPPER = """cat > /usr/local/bin/python3 <<'END'
#!/bin/sh
{line}
END
chmod 755 /usr/local/bin/python3"""
UNWRAP = "rm /usr/local/bin/python3"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def wrapped(line: str) -> tuple[str, str]:
    return WRAPPER.format(line=line), UNWRAP


@dataclass(frozen=True)
class Failure:
    """``scripts`` break the worker and mend it; ``inventory`` changes the file's text; ``words`` have to be said."""

    code: int
    words: tuple[str, ...]
    scripts: tuple[str, str] = ("", "")
    inventory: Callable[[str, Path], str] = lambda text, _: text


LISTEN = "import socket, time; s = socket.create_server(('0.0.0.0', 10250)); time.sleep(600)"
FAILURES = {
    "port taken": Failure(
        4,
        ("w1: port 10250 is taken", "python3 listens on it", "next: stop that program; kubelet needs the port"),
        (f'setsid python3 -c "{LISTEN}" >/dev/null 2>&1 & sleep 1', "pkill -f create_server"),
    ),
    "wrong architecture": Failure(
        4,
        ("w1: wrong architecture", "it is i686, the bundle is for amd64"),
        wrapped('exec setarch i686 /usr/bin/python3 "$@"'),
    ),
    "disk too full": Failure(
        4,
        ("w1: the disk is too full", "0.1 GiB free in /var/lib", "next: free at least 4 GiB"),
        ("mount -t tmpfs -o size=100m tmpfs /var/lib", "umount /var/lib"),
    ),
    "an old system": Failure(
        4,
        ("w1: its operating system is too old", "debian 10"),
        (
            "cp /usr/lib/os-release /root/kept; sed -i s/^VERSION_ID=.*/VERSION_ID=10/ /usr/lib/os-release",
            "mv /root/kept /usr/lib/os-release",
        ),
    ),
    "clock off": Failure(
        4,
        ("w1: its clock is off", "behind the controller's", "next: start chrony"),
        wrapped('FAKETIME=-1h LD_PRELOAD=/root/libfaketime.so.1 exec /usr/bin/python3 "$@"'),
    ),
    "a probe that fails": Failure(
        4,
        ("w1: its listening cannot be inspected",),
        ("cp -a /usr/bin/ss /root/kept; printf '#!/bin/sh\\necho odd\\n' > /usr/bin/ss", "mv /root/kept /usr/bin/ss"),
    ),
    "an answer that is none": Failure(
        3,
        ("w1", "returned a report that cannot be read", "machine"),
        wrapped("echo '{\"machine\": 7}'"),
    ),
    "an answer without end": Failure(3, ("w1", "it sent more than 64 MiB"), wrapped("exec yes")),
    "no python": Failure(
        3,
        ("w1", "python3 is not installed: install that package"),
        ("mv /usr/bin/python3 /root/kept", "mv /root/kept /usr/bin/python3"),
    ),
    "a stranger's host key": Failure(
        3,
        ("10.89.57.21", "next: check that they are on and that ssh to them works"),
        inventory=lambda text, place: text.replace(str(known_hosts()), str(stranger(place, "hosts"))),
    ),
    "a key nobody knows": Failure(
        3,
        ("s1", "w1", "uthentication"),
        inventory=lambda text, place: text.replace(str(client_key()), str(stranger(place, "key"))),
    ),
    "a key that is not there": Failure(
        3, ("s1", "w1", "/nowhere"), inventory=lambda text, _: text.replace(str(client_key()), "/nowhere")
    ),
    "no bundle": Failure(
        2,
        ("there is no bundle here", "/nowhere", "next: `haplane bundle build"),
        inventory=lambda text, _: text.replace('"tuning"', '"bundle": "/nowhere", "tuning"'),
    ),
    "a file that is no text": Failure(
        2,
        ("the pod network's manifest cannot be read", "/bin/true"),
        inventory=lambda text, _: text.replace('"tuning"', '"pod_network_manifest": "/bin/true", "tuning"'),
    ),
}  # fmt: skip


def stranger(place: Path, kind: str) -> Path:
    """A key that no host knows, or a file that knows the hosts by that key."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "key"], check=True)
    public = " ".join((place / "key.pub").read_text().split()[:2])
    (place / "hosts").write_text(f"10.89.57.21 {public}\n10.89.57.31 {public}\n")
    return place / kind


@contextmanager
def broken(lab, failure: Failure, tmp_path: Path):
    """The inventory to run with, while things are as that failure has them."""
    path = tmp_path / "inventory.py"
    path.write_text(failure.inventory(Path(lab.path).read_text(), tmp_path))
    before, after = failure.scripts
    assert lab.run("w1", before).returncode == 0
    try:
        yield path
    finally:
        assert lab.run("w1", after).returncode == 0


@pytest.fixture(scope="module")
def prepared(small):
    """What the failures need besides: libfaketime on the worker; a key and known hosts that fit nobody."""
    openssh.run(small.inventory.host("w1"), "tee", "/root/libfaketime.so.1", stdin=FAKETIME.read_bytes())
    return small


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_one_message_with_its_exit_code(prepared, tmp_path, name):
    failure = FAILURES[name]
    with broken(prepared, failure, tmp_path) as inventory:
        said = prepared.fails("up", inventory, "--yes", code=failure.code)
    message = said[said.index("haplane: ") :]
    assert all(word in message for word in failure.words), message
    assert "next: " in message
    assert len(message.splitlines()) < 20, message


def test_a_machine_that_is_off(prepared):
    lifecycle.cut(prepared.inventory, ["w1"])
    try:
        said = prepared.fails("up", prepared.path, "--yes", code=3)
    finally:
        lifecycle.heal(prepared.inventory, ["w1"])
    assert "w1 cannot be reached; nothing was changed" in said


def test_a_mirror_that_is_gone(prepared, tmp_path):
    words = ("--source", "official", "--mirror", "http://127.0.0.1:1", "--directory", tmp_path)
    said = prepared.fails("bundle", "build", *words, code=1)
    assert "a download failed" in said
    assert "where: http://127.0.0.1:1/" in said
    assert "refused" in said
    assert "next: " in said


@pytest.mark.soak
def test_a_disk_that_fills_up_in_mid_push_and_the_run_after_it(prepared):
    assert (
        prepared.run(
            "w1", "mkdir -p /var/lib/haplane && mount -t tmpfs -o size=30m tmpfs /var/lib/haplane"
        ).returncode
        == 0
    )
    said = prepared.fails("up", prepared.path, "--yes", code=1)
    assert "pushing files to w1 failed" in said
    assert "No space left on device" in said, said
    assert prepared.run("w1", "umount /var/lib/haplane").returncode == 0
    prepared.haplane("up", prepared.path, "--yes")
    assert prepared.wait_until_healthy()["healthy"]
