"""Real etcd, from the bundle of this machine, and a snapshot of a database that looks like a cluster's."""

import subprocess
from pathlib import Path

import pytest

from haplane.recovery.database import NAMESPACE, ROOT_CA
from haplane.recovery.scratch.etcd import scratch_etcd

UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field; contents here are short."""
    return bytes([number << 3 | 2, len(content)]) + content


def namespace(uid: str = UID) -> bytes:
    """A Namespace as the API server stores it."""
    metadata = field(1, b"kube-system") + field(5, uid.encode()) + bytes([7 << 3, 1])
    kind = field(1, b"v1") + field(2, b"Namespace")
    return b"k8s\x00" + field(1, kind) + field(2, field(1, metadata)) + field(3, b"")


@pytest.fixture(scope="session")
def taken(tools, tmp_path_factory):
    """``snapshot.db`` with some keys, and ``data``, the directory that it was taken from, stopped."""
    directory = tmp_path_factory.mktemp("taken")
    with scratch_etcd(tools, directory / "data") as etcd:
        put(etcd, NAMESPACE, namespace())
        put(etcd, ROOT_CA, b"x-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\ny")
        for number in range(20):
            put(etcd, f"/registry/configmaps/default/c{number}", b"v" * 1000)
        etcd.save(directory / "snapshot.db")
        for name in ("later", "last"):
            put(etcd, f"/registry/configmaps/default/{name}", b"only in the log")
    return directory


def put(etcd, key: str, value: bytes) -> None:
    """etcdctl reads the value from a file that is its standard input."""
    command = [etcd.tools.path("etcdctl"), "--endpoints", etcd.endpoint, "put", key]
    subprocess.run(command, input=value, check=True, capture_output=True)


@pytest.fixture
def snapshot(taken, tmp_path) -> Path:
    """A copy that a test may spoil."""
    copy = tmp_path / "snapshot.db"
    copy.write_bytes((taken / "snapshot.db").read_bytes())
    return copy
