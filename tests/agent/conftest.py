"""A cluster, S3 servers and members with an agent, all of them real."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from haplane.agent.settings import S3Settings
from haplane.errors import BadInput

from .machinery import Cluster, Faults, Server, moto, proxy, rclone, self_signed, unpack_programs
from .members import NAMESPACE, Members, unpack_agent


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """etcd, etcdctl, etcdutl and age, as hosts get them."""
    directory = tmp_path_factory.mktemp("programs")
    try:
        unpack_programs(directory)
    except BadInput as error:
        pytest.skip(f"needs the bundle: {error.what}")
    os.environ["HAPLANE_TEST_PROGRAMS"] = str(directory)
    yield directory
    del os.environ["HAPLANE_TEST_PROGRAMS"]


@pytest.fixture(scope="session")
def cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three members that know a kube-system namespace; they all run when a test gets them."""
    made = Cluster(programs, tmp_path_factory.mktemp("etcd"))
    made.start()
    made.put("/registry/namespaces/kube-system", NAMESPACE)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def large(cluster: Cluster) -> Cluster:
    """The same with enough in it for an upload of several parts."""
    for number in range(20):
        cluster.put(f"/large/{number}", os.urandom(1 << 20).hex().encode()[: 1 << 20])
    return cluster


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory, tls: tuple[Path, Path]) -> S3Settings:
    """Credentials and authority for every server here."""
    path = tmp_path_factory.mktemp("access") / "credentials"
    path.write_text("[default]\naws_access_key_id = access\naws_secret_access_key = secret\n")
    return S3Settings("backups", prefix="some/where", ca_file=str(tls[0]), credentials_file=str(path))


@pytest.fixture(scope="session")
def moto_server(
    tmp_path_factory: pytest.TempPathFactory, tls: tuple[Path, Path], access: S3Settings
) -> Iterator[Server]:
    with moto(tmp_path_factory.mktemp("moto"), tls, access) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(
    tmp_path_factory: pytest.TempPathFactory, tls: tuple[Path, Path], access: S3Settings
) -> Iterator[Server]:
    with rclone(tmp_path_factory.mktemp("rclone"), tls, access) as server:
        yield server


@pytest.fixture(params=["moto", "rclone"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of two independent S3 servers over TLS."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture(scope="session")
def plain_rclone(tmp_path_factory: pytest.TempPathFactory, access: S3Settings) -> Iterator[Server]:
    with rclone(tmp_path_factory.mktemp("plain"), None, access) as server:
        yield server


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def faulty(plain_rclone: Server, tls: tuple[Path, Path], faults: Faults) -> Iterator[Server]:
    """A real server behind a proxy that does what ``faults`` says."""
    with proxy(plain_rclone, tls, faults) as server:
        yield server


@pytest.fixture(scope="session")
def agent_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_agent(tmp_path_factory.mktemp("agent"))


@pytest.fixture
def members(tmp_path: Path, cluster: Cluster, agent_directory: Path, request: pytest.FixtureRequest) -> Members:
    for name in cluster.ports:
        if name not in cluster.running:
            cluster.start_member(name)
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return Members(tmp_path, cluster, agent_directory, name)


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    for name in ("zstd", "openssl", "setpriv", "ionice"):
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}")
