"""The lines of docs/snapshots.md, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ports import free_port

from .machinery import Cluster, Server, process, wait_until
from .members import Members

pytestmark = pytest.mark.bundle

DOCUMENT = Path(__file__).parents[2] / "docs" / "snapshots.md"


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.S | re.M)


def test_with_nothing_but_age_zstd_and_etcdutl(
    cluster: Cluster, members: Members, rclone_server: Server, tmp_path: Path
) -> None:
    cluster.put("/by/hand", b"still here")
    member = members.make(s3=rclone_server.settings)
    manifest = member.take()
    place = tmp_path / "elsewhere"
    place.mkdir()
    for part in ("snapshot.db.zst.age", "keys.age", "manifest.json", "manifest.sig"):
        member.remote().download(manifest.id, part, place / part, 1 << 30)
    (place / "identity.txt").touch(0o600)
    (place / "identity.txt").write_text(f"{member.identity}\n")
    public = member.signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (place / "signing.pub").write_bytes(public)
    only = tmp_path / "only"
    only.mkdir()
    for name in ("age", "etcdutl"):
        (only / name).symlink_to(cluster.programs / name)
    for name in ("zstd", "tar", "openssl", "sha256sum", "sed", "base64"):
        (only / name).symlink_to(str(shutil.which(name)))
    restore, verify = blocks()
    for lines in (restore, verify):
        done = subprocess.run(
            ["/bin/sh", "-euc", lines],
            cwd=place,
            env={"PATH": str(only)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert manifest.payload_sha256 in done.stdout
    assert manifest.keys.sha256 in done.stdout
    assert (place / "keys" / "etc" / "kubernetes" / "pki" / "ca.key").read_text() == "secret"
    assert value_in(cluster, place / "restored", "/by/hand") == b"still here\n"


def value_in(cluster: Cluster, data: Path, key: str) -> bytes:
    """What an etcd started from that directory answers."""
    url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command: list[str | Path] = [
        cluster.programs / "etcd", f"--data-dir={data}", f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}", f"--listen-peer-urls={peer}",
    ]  # fmt: skip
    read = [cluster.programs / "etcdctl", f"--endpoints={url}", "get", key, "--print-value-only"]
    with process(command, env=dict(os.environ)):
        wait_until(lambda: subprocess.run(read, capture_output=True, check=False).returncode == 0, "etcd answers")
        return subprocess.run(read, capture_output=True, check=True).stdout
