"""Buckets as people have them: Object Lock, server-side encryption, odd names, proxies, IPv6."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import select
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ports import free_port

from haplane.agent.manifest import MANIFEST, PAYLOAD
from haplane.agent.settings import S3Settings
from haplane.agent.store import Store
from haplane.errors import HaplaneError, Unreachable
from haplane.snapshots.places import controller_store

from .machinery import Server, process, wait_until
from .stub import Quiet, Request, stub

ID = "20261122T184500Z-m2-r12345"
LOCKED = (
    b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put "
    b"Object requests with Object Lock parameters</Message></Error>"
)
SPOILT = b"<Error><Code>BadDigest</Code><Message>The Content-MD5 you specified did not match</Message></Error>"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom((17 << 20) + 1))
    return path


class Strict:
    """A bucket with Object Lock, as AWS documents it: no upload without a checksum that fits."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[int, bytes] = {}
        self.headers: list[dict[str, str]] = []

    def __call__(self, request: Request) -> None:
        key, _, query = request.path.partition("?")
        if request.command == "PUT":
            self.put(request, key, query)
        elif request.command == "POST" and "uploads" in query:
            self.headers.append(dict(request.headers))
            request.answer(200, b"<R><UploadId>u1</UploadId></R>")
        elif request.command == "POST":
            self.objects[key] = b"".join(self.parts[number] for number in sorted(self.parts))
            request.answer(200, b"<R><ETag>e</ETag></R>")
        elif key in self.objects:
            request.answer(200, self.objects[key])
        else:
            request.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def put(self, request: Request, key: str, query: str) -> None:
        digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
        sent = request.headers.get("Content-MD5")
        if sent != digest:
            request.answer(400, SPOILT if sent else LOCKED)
            return
        part = re.search(r"partNumber=(\d+)", query)
        if part:
            self.parts[int(part[1])] = request.body
        else:
            self.headers.append(dict(request.headers))
            self.objects[key] = request.body
        request.answer(200, ETag='"e"')


def put_and_read(bucket: Store, large: Path) -> None:
    """What the agent does with a bucket: try it, upload small and large, read back."""
    bucket.check("m1")
    bucket.put_bytes(ID, MANIFEST, b"{}")
    bucket.put_file(ID, PAYLOAD, large)
    expected = hashlib.sha256(large.read_bytes()).hexdigest(), large.stat().st_size
    assert bucket.digest(ID, PAYLOAD, large.stat().st_size) == expected
    assert bucket.read(ID, MANIFEST) == b"{}"


def test_object_lock_wants_checksums_and_gets_them(tmp_path: Path, large: Path) -> None:
    with stub(Strict(), tmp_path) as settings:
        put_and_read(Store(settings, "test"), large)


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"server_side_encryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"server_side_encryption": "aws:kms", "kms_key_id": "alias/x"},
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/x"},
        ),
        ({}, {}),
    ],
)
def test_encryption_by_the_server_is_asked_for_each_object_and_upload(
    tmp_path: Path, large: Path, settings: dict[str, str], headers: dict[str, str]
) -> None:
    strict = Strict()
    with stub(strict, tmp_path) as bucket:
        put_and_read(Store(replace(bucket, **settings), "test"), large)  # type: ignore[arg-type]
    assert len(strict.headers) == 3
    for sent in strict.headers:
        lowered = {name.lower(): value for name, value in sent.items()}
        assert {name: lowered[name] for name in lowered if "server-side" in name} == headers


def test_moto_encrypts_as_asked(moto_server: Server, large: Path) -> None:
    settings = replace(moto_server.settings, server_side_encryption="aws:kms", kms_key_id="alias/aws/s3")
    put_and_read(Store(settings, "sse"), large)
    for part in (PAYLOAD, MANIFEST):
        found = moto_server.s3.head_object(Bucket="backups", Key=f"some/where/sse/{ID}/{part}")
        assert found["ServerSideEncryption"] == "aws:kms"


@pytest.mark.parametrize("name", ["Old_Bucket", "under_score.and-more", "x" * 63])
def test_bucket_names_of_other_times(moto_server: Server, large: Path, name: str) -> None:
    moto_server.s3.create_bucket(Bucket=name)
    put_and_read(Store(replace(moto_server.settings, bucket=name), "test"), large)


@pytest.mark.parametrize("region", ["RegionOne", "GRA", "fr-par"])
def test_regions_of_others(server: Server, large: Path, region: str) -> None:
    put_and_read(Store(replace(server.settings, region=region), f"region-{region.lower()}"), large)


def test_moto_takes_uploads_into_a_bucket_with_object_lock(moto_server: Server, large: Path) -> None:
    moto_server.s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    moto_server.s3.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    put_and_read(Store(replace(moto_server.settings, bucket="locked"), "test"), large)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_endpoint_with_an_ipv6_address(tmp_path: Path, access: S3Settings, large: Path) -> None:
    port = free_port()
    command: list[str | Path] = [
        Path(sys.executable).parent / "rclone", "serve", "s3", tmp_path / "data", "--addr", f"[::1]:{port}",
        "--auth-key", "access,secret", "--config", "/dev/null", "--cache-dir", tmp_path / "cache",
    ]  # fmt: skip
    (tmp_path / "data").mkdir()
    with process(command):
        try:
            wait_until(lambda: _listens6(port), "rclone listens")
        except TimeoutError:
            pytest.skip("no IPv6 here")
        settings = replace(access, endpoint_url=f"http://[::1]:{port}", ca_file=None)
        Server(settings).s3.create_bucket(Bucket=settings.bucket)
        put_and_read(Store(settings, "test"), large)


def _listens6(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("::1", port), timeout=1).close()
        return True
    return False


class Proxy(BaseHTTPRequestHandler):
    """CONNECT, and nothing else."""

    seen: list[str]

    def do_CONNECT(self) -> None:
        self.seen.append(self.path)
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: far, far: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    ends[end].sendall(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def http_proxy() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    server = Quiet(("127.0.0.1", 0), type("One", (Proxy,), {"seen": seen}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_through_a_proxy(server: Server, large: Path, http_proxy: tuple[str, list[str]]) -> None:
    url, seen = http_proxy
    put_and_read(Store(replace(server.settings, proxy=url), "proxied"), large)
    assert set(seen) == {str(server.settings.endpoint_url).removeprefix("https://")}


def test_a_proxy_that_is_off_is_an_unreachable_server(server: Server) -> None:
    with pytest.raises(Unreachable, match="does not respond"):
        Store(replace(server.settings, proxy="http://127.0.0.1:1"), "proxied").check("m1")


def test_the_environment_names_a_proxy_for_the_controller_and_never_for_the_agent(
    rclone_server: Server, http_proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = http_proxy
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    Store(rclone_server.settings, "test").check("m1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    controller_store(rclone_server.settings, "test").check("m1")
    assert seen == []
    monkeypatch.setenv("NO_PROXY", "")
    controller_store(rclone_server.settings, "test").check("m1")
    assert seen != []


def test_an_upload_that_is_changed_on_the_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haplane.agent.objects._md5", lambda _: base64.b64encode(bytes(16)).decode())
    with stub(Strict(), tmp_path) as settings, pytest.raises(HaplaneError, match="BadDigest"):
        Store(settings, "test").check("m1")
