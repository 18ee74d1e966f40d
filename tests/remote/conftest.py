"""Hosts for tests of what goes over SSH: an sshd each, with /run and processes of its own, on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import samples
from ports import free_port
from prepared import Prepared, prepared

from haplane.config.model import Host, Inventory

START = """
mkdir -p /var/lib/haplane && mount -t tmpfs tmpfs /var/lib/haplane &&
mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$1" -D -e -f "$2"
"""
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv HOME={keys} PATH=/usr/bin:/bin HTTPS_PROXY=http://192.0.2.1:3128 no_proxy=localhost LANG=de_DE.UTF-8
"""


@dataclass(frozen=True)
class FakeHost:
    """The process that is the host's init; all others of the host are below it."""

    init: subprocess.Popen[bytes]
    port: int

    def processes(self, words: str) -> list[int]:
        """The host's processes whose arguments contain ``words``."""
        listed = subprocess.run(
            ["ps", "-e", "-ww", "-o", "pid=,pidns=,args="], capture_output=True, text=True, check=True
        ).stdout
        mine = str(Path(f"/proc/{self.init.pid}/ns/pid_for_children").stat().st_ino)
        rows = [line.split(None, 2) for line in listed.splitlines()]
        return [int(process) for process, space, arguments in rows if space == mine and words in arguments]

    def signal(self, words: str, number: signal.Signals) -> None:
        for process in self.processes(words):
            with contextlib.suppress(ProcessLookupError):  # it may end because of those that were sent one before
                os.kill(process, number)


@pytest.fixture(scope="session")
def pyinfra_runner() -> Iterator[Prepared]:
    """pyinfra_runner.py: pyinfra's sessions where gevent is patched."""
    with prepared("pyinfra_runner", path=Path(__file__).parent) as runner:
        yield runner


@pytest.fixture
def run(tmp_path: Path, pyinfra_runner: Prepared) -> Callable[..., dict[str, Any]]:
    """What such a process reports of these hosts, without the SSH agent of whoever runs the tests."""

    def run(*words: str, hosts: tuple[Host, ...]) -> dict[str, Any]:
        pickled = tmp_path / "hosts.pickle"
        pickled.write_bytes(pickle.dumps(hosts))
        environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        done = pyinfra_runner.run(pickled, *words, environment=environment, seconds=60)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    return run


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inventory, dict[str, FakeHost]]]:
    """An inventory of three masters and a load balancer, and the hosts by name."""
    sshd = shutil.which("sshd")
    if os.getuid() != 0 or sshd is None:
        pytest.skip("needs root and sshd")
    keys = tmp_path_factory.mktemp("keys")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    plan = samples.inventory(balancers=1)
    found = {host.name: _start(sshd, keys, host.name) for host in plan.hosts}
    try:
        groups = {
            group: tuple(_reached(host, found[host.name], keys) for host in getattr(plan, group))
            for group in ("masters", "etcd", "load_balancers")
        }
        yield plan.model_copy(update=groups), found
    finally:
        for machine in found.values():
            machine.init.kill()
            machine.init.wait()


def _reached(host: Host, machine: FakeHost, keys: Path) -> Host:
    ssh = {
        "hostname": "127.0.0.1",
        "port": machine.port,
        "key": str(keys / "user"),
        "known_hosts_file": str(keys / "known_hosts"),
    }
    return host.model_copy(update={"ssh": host.ssh.model_copy(update=ssh)})


def _start(sshd: str, keys: Path, name: str) -> FakeHost:
    port = free_port()
    config = keys / f"{name}.conf"
    config.write_text(CONFIG.format(port=port, keys=keys))
    apart = ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    with (keys / f"{name}.log").open("wb") as log:
        init = subprocess.Popen([*apart, "sh", "-c", START, "sh", sshd, str(config)], stderr=log)
    wait_until_it_listens(init, port, keys / f"{name}.log")
    return FakeHost(init, port)


def wait_until_it_listens(init: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Raises TimeoutError with the log when it does not, and has ended then."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and init.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    init.kill()
    raise TimeoutError(log.read_text())
