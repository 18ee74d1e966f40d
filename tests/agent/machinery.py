"""Real servers for tests of snapshots: etcd from the bundle, two S3 servers, and a proxy that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ports import free_port

from haplane.agent.s3 import client
from haplane.agent.settings import S3Settings
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.supported import DEFAULT_VERSION

DEADLINE = 60.0
ACCESS_DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
INTERNAL = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>sorry</Message></Error>"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def unpack_programs(directory: Path) -> None:
    """etcd, etcdctl, etcdutl and age, as hosts get them. Raises BadInput without a bundle."""
    bundle = default_directory(DEFAULT_VERSION)
    for file in load_manifest(bundle).files:
        name = Path(file.path).name
        if name in ("etcd", "etcdctl", "etcdutl", "age"):
            subprocess.run(["zstd", "-dqf", bundle / file.stored, "-o", directory / name], check=True)
            (directory / name).chmod(0o755)


def self_signed(directory: Path) -> tuple[Path, Path]:
    """Certificate, which is its own authority, and key for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "tls.key").write_bytes(pem)
    return directory / "tls.crt", directory / "tls.key"


@contextmanager
def process(command: list[str | Path], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@dataclass
class Cluster:
    """Three etcd members on loopback ports, m1 to m3."""

    programs: Path
    directory: Path
    options: tuple[str, ...] = ("--unsafe-no-fsync",)
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        self.ports = {name: (free_port(), free_port()) for name in ("m1", "m2", "m3")}
        for name in self.ports:
            self.start_member(name)
        wait_until(lambda: self.etcdctl("get", "x").returncode == 0, "etcd has a quorum")

    def start_member(self, name: str) -> None:
        initial = ",".join(f"{one}=http://127.0.0.1:{peer}" for one, (_, peer) in self.ports.items())
        client_port, peer_port = self.ports[name]
        command = [
            str(self.programs / "etcd"), f"--name={name}", f"--data-dir={self.directory / name}",
            f"--initial-cluster={initial}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}", f"--advertise-client-urls={self.url(name)}",
            f"--listen-client-urls=http://127.0.0.1:{client_port}", *self.options,
        ]  # fmt: skip
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, *names: str) -> None:
        for name in names or tuple(self.running):
            member = self.running.pop(name)
            member.kill()
            member.wait()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name][0]}"

    def etcdctl(self, *words: str, stdin: bytes = b"", at: str = "m1") -> subprocess.CompletedProcess[bytes]:
        command = [self.programs / "etcdctl", f"--endpoints={self.url(at)}", *words]
        return subprocess.run(command, input=stdin, capture_output=True, check=False)

    def put(self, key: str, value: bytes) -> None:
        done = self.etcdctl("put", key, stdin=value)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode())

    def leader(self) -> str:
        endpoints = ",".join(self.url(name) for name in self.ports)
        listed = subprocess.run(
            [self.programs / "etcdctl", f"--endpoints={endpoints}", "endpoint", "status", "-w", "json"],
            capture_output=True, check=False,
        ).stdout  # fmt: skip
        by_url = {self.url(name): name for name in self.ports}
        return next(
            by_url[answer["Endpoint"]]
            for answer in json.loads(listed)
            if answer["Status"]["leader"] == answer["Status"]["header"]["member_id"]
        )


@dataclass(frozen=True)
class Server:
    """An S3 server over TLS with one bucket."""

    settings: S3Settings

    @property
    def s3(self) -> Any:
        return client(self.settings)


@contextmanager
def moto(directory: Path, tls: tuple[Path, Path], settings: S3Settings) -> Iterator[Server]:
    port = free_port()
    command: list[str | Path] = [
        sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), "-c", tls[0], "-k", tls[1],
    ]  # fmt: skip
    with process(command, cwd=directory):
        yield from _served(port, settings)


@contextmanager
def rclone(directory: Path, tls: tuple[Path, Path] | None, settings: S3Settings) -> Iterator[Server]:
    port = free_port()
    (directory / "data").mkdir()
    encryption: list[str | Path] = ["--cert", tls[0], "--key", tls[1]] if tls else []
    command: list[str | Path] = [
        Path(sys.executable).parent / "rclone", "serve", "s3", directory / "data", "--addr", f"127.0.0.1:{port}",
        "--auth-key", "access,secret", "--config", "/dev/null", "--cache-dir", directory / "cache", *encryption,
    ]  # fmt: skip
    with process(command):
        yield from _served(port, settings, "https" if tls else "http")


def _served(port: int, settings: S3Settings, scheme: str = "https") -> Iterator[Server]:
    server = Server(S3Settings(**{**settings.__dict__, "endpoint_url": f"{scheme}://127.0.0.1:{port}"}))
    wait_until(lambda: listens(port), "the S3 server listens")
    server.s3.create_bucket(Bucket=settings.bucket)
    yield server


@dataclass
class Faults:
    """What the proxy does wrong; everything else it passes on."""

    refuse_deletes: bool = False
    always_500: bool = False
    hold_parts: threading.Event | None = None
    cut_part: int = 0
    spoil_gets: bool = False
    drip_gets: bool = False
    seen: list[str] = field(default_factory=list)


@contextmanager
def proxy(backend: Server, tls: tuple[Path, Path], faults: Faults) -> Iterator[Server]:
    """In front of a plain server. A held part waits until the event is set; a cut one loses its connection."""
    target = str(backend.settings.endpoint_url).removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            faults.seen.append(f"{self.command} {self.path}")
            part = int(self.path.split("partNumber=")[1].split("&")[0]) if "partNumber=" in self.path else 0
            if part and faults.hold_parts is not None:
                faults.hold_parts.wait(DEADLINE)
            if part and part == faults.cut_part:
                self.close_connection = True
                self.connection.close()
            elif faults.always_500:
                self.answer(500, INTERNAL)
            elif faults.refuse_deletes and self.command == "DELETE":
                self.answer(403, ACCESS_DENIED)
            else:
                self.pass_on(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request  # noqa: N815

        def pass_on(self, body: bytes) -> None:
            link = http.client.HTTPConnection(target, timeout=DEADLINE)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
                link.request(self.command, self.path, body, headers)
                answer = link.getresponse()
                self.answer(answer.status, answer.read(), dict(answer.getheaders()))
            finally:
                link.close()

        def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response_only(status)
            for name, value in (headers or {}).items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            object_read = self.command == "GET" and "?" not in self.path and status == 200
            if object_read and faults.spoil_gets:
                content = content[:-1] + bytes([content[-1] ^ 1])
            if object_read and faults.drip_gets:
                for start in range(0, len(content), 1 << 16):
                    self.wfile.write(content[start : start + (1 << 16)])
                    time.sleep(0.3)
                return
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: tests print only when they fail."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Connections that the agent drops are what is tested."""

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        settings = backend.settings.__dict__ | {"endpoint_url": f"https://127.0.0.1:{server.server_port}"}
        yield Server(S3Settings(**settings))
    finally:
        server.shutdown()
        server.server_close()


def shim(directory: Path, program: str, script: str) -> None:
    """A program that stands before the real one: ``$REAL`` runs that, ``"$@"`` are the words."""
    path = directory / program
    path.write_text(f"#!/bin/sh\nREAL={os.environ['HAPLANE_TEST_PROGRAMS']}/{program}\n{script}\n")
    path.chmod(0o755)
