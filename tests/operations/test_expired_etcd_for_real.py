"""A real etcd whose certificates have expired serves as soon as new ones lie in their place, without a restart."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from agent.machinery import unpack_programs
from ports import free_port

from haplane.errors import BadInput
from haplane.pki.ca import new_ca
from haplane.pki.issue import Usage, issue
from haplane.waiting import wait_until

pytestmark = pytest.mark.bundle

LOOPBACK = IPv4Address("127.0.0.1")
NOW = datetime.now(UTC)
NAMES = ("m1", "m2", "m3")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("programs")
    try:
        unpack_programs(directory)
    except BadInput as error:
        pytest.skip(f"needs the bundle: {error.what}")
    return directory


def place(directory, authority, when, days=365.0):
    """Server, peer and client certificate of a member, each replaced by a rename, as haplane does."""
    for name in ("server", "peer", "client"):
        pair = issue(
            authority, "m", usages=(Usage.SERVER, Usage.CLIENT), now=when, days=days, dns_names=("localhost",),
            addresses=(LOOPBACK,),
        )  # fmt: skip
        for ending, content in (("key", pair.private_key), ("crt", pair.certificate)):
            new = directory / f"{name}.{ending}.new"
            new.write_bytes(content)
            new.rename(directory / f"{name}.{ending}")


@pytest.fixture
def members(programs, tmp_path):
    """Three of them, started with certificates that ended two minutes ago."""
    authority = new_ca("etcd-ca", now=NOW - timedelta(minutes=10))
    ports = [free_port() for _ in range(6)]
    peers = ",".join(f"{name}=https://127.0.0.1:{port}" for name, port in zip(NAMES, ports[3:], strict=True))
    running = {}
    for name, client, peer in zip(NAMES, ports[:3], ports[3:], strict=True):
        pki = tmp_path / name
        pki.mkdir()
        (pki / "ca.crt").write_bytes(authority.certificate)
        place(pki, authority, NOW - timedelta(minutes=3), 1 / 1440)
        flags = [
            f"--name={name}", f"--data-dir={tmp_path / name / 'data'}", "--unsafe-no-fsync", "--client-cert-auth",
            f"--listen-client-urls=https://127.0.0.1:{client}", f"--advertise-client-urls=https://127.0.0.1:{client}",
            f"--listen-peer-urls=https://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=https://127.0.0.1:{peer}",
            f"--initial-cluster={peers}", f"--trusted-ca-file={pki}/ca.crt", f"--cert-file={pki}/server.crt",
            f"--key-file={pki}/server.key", f"--peer-trusted-ca-file={pki}/ca.crt", "--peer-client-cert-auth",
            f"--peer-cert-file={pki}/peer.crt", f"--peer-key-file={pki}/peer.key",
        ]  # fmt: skip
        with (pki / "log").open("wb") as log:
            running[name] = (subprocess.Popen([programs / "etcd", *flags], stderr=log, stdout=log), pki, client)
    yield authority, running
    for process, *_ in running.values():
        process.terminate()
        process.wait(10)


def healthy(programs, pki, port):
    done = subprocess.run(
        [
            programs / "etcdctl", f"--endpoints=https://127.0.0.1:{port}", f"--cacert={pki}/ca.crt",
            f"--cert={pki}/client.crt", f"--key={pki}/client.key", "--command-timeout=2s", "endpoint", "health",
        ],
        capture_output=True, check=False, timeout=10,
    )  # fmt: skip
    return done.returncode == 0


def test_members_whose_certificates_have_expired_need_new_files_and_no_restart(programs, members):
    authority, running = members
    refused = "certificate has expired"
    wait_until(
        lambda: all(refused in (pki / "log").read_text(errors="replace") for _, pki, _ in running.values()),
        60, "every member is refused by the others",
    )  # fmt: skip
    assert not any(healthy(programs, pki, port) for _, pki, port in running.values())
    for _, pki, _ in running.values():
        place(pki, authority, datetime.now(UTC))
    wait_until(
        lambda: all(healthy(programs, pki, port) for _, pki, port in running.values()), 40, "all members serve"
    )
    assert [process.poll() for process, *_ in running.values()] == [None, None, None]
