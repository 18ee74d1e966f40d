"""Two independent S3 servers, moto's and rclone's, on a plain host of the lab, over TLS with their own authority.

Their programs are those of this environment: the lab reaches no package index.
"""

import contextlib
import io
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from ipaddress import IPv4Address
from pathlib import Path

import boto3
from botocore.config import Config

from haplane.pki.ca import new_ca
from haplane.pki.issue import Usage, issue
from haplane.waiting import wait_until

ACCESS, SECRET = "the-lab", "lab-secret-0123456789"
BUCKET = "etcd"
SITE = "/opt/s3/site"
START = f"""
set -eu
cd /opt/s3
systemctl stop s3-moto s3-rclone 2>/dev/null || true
systemctl reset-failed s3-moto s3-rclone 2>/dev/null || true
mkdir -p files/{BUCKET}
systemd-run --quiet --unit=s3-moto --setenv=PYTHONPATH={SITE} \\
    python3 -m moto.server -H 0.0.0.0 -p 9000 -c /opt/s3/server.crt -k /opt/s3/server.key
systemd-run --quiet --unit=s3-rclone /opt/s3/rclone serve s3 --addr :9001 --auth-key {ACCESS},{SECRET} \\
    --cert /opt/s3/server.crt --key /opt/s3/server.key /opt/s3/files
"""


@dataclass(frozen=True)
class S3Server:
    """One of the two, as an inventory and as a test's own client reach it."""

    url: str
    authority: Path
    credentials: Path

    def settings(self, **more):
        return {
            "bucket": BUCKET, "endpoint_url": self.url, "ca_file": str(self.authority),
            "credentials_file": str(self.credentials), **more,
        }  # fmt: skip

    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.url, verify=str(self.authority), region_name="us-east-1",
            aws_access_key_id=ACCESS, aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
                          response_checksum_validation="when_required", retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def objects(self):
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def start(ssh, address: str, directory: Path) -> dict[str, S3Server]:
    """``ssh`` makes the words of an ssh command to the host; authority and credentials are left in ``directory``."""
    now = datetime.now(UTC)
    authority = new_ca("s3", organization="lab", now=now)
    leaf = issue(authority, "s3", usages=[Usage.SERVER], now=now, addresses=[IPv4Address(address)])
    (directory / "s3-ca.crt").write_bytes(authority.certificate)
    credentials = directory / "s3-credentials"
    credentials.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    credentials.chmod(0o600)
    small = {"server.crt": leaf.certificate, "server.key": leaf.private_key}
    unpack = ssh("sh", "-c", "mkdir -p /opt/s3 && tar -x -C /opt/s3")
    subprocess.run(unpack, input=archive(small), check=True, capture_output=True)
    subprocess.run(ssh("sh"), input=START.encode(), check=True, capture_output=True)
    servers = {
        name: S3Server(f"https://{address}:{port}", directory / "s3-ca.crt", credentials)
        for name, port in (("moto", 9000), ("rclone", 9001))
    }
    for name, server in servers.items():
        wait_until(lambda server=server: has_bucket(server), 60, f"{name} serves its bucket")
    return servers


def has_bucket(server: S3Server) -> bool:
    client = server.client()
    with contextlib.suppress(Exception):
        if server.url.endswith(":9000"):
            client.create_bucket(Bucket=BUCKET)
        client.head_bucket(Bucket=BUCKET)
        return True
    return False


def archive(small: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as members:
        for name, content in small.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            members.addfile(member, io.BytesIO(content))
        for name in sorted(closure("moto", {"s3"}) | closure("flask-cors", set())):
            distribution = metadata.distribution(name)
            for file in distribution.files or ():
                place = Path(file.locate())
                if ".." not in file.parts and "__pycache__" not in file.parts and place.is_file():
                    members.add(place, f"site/{file}")
        members.add(Path(sys.executable).with_name("rclone"), "rclone")
    return buffer.getvalue()


def closure(name: str, extras: set[str]) -> set[str]:
    """That distribution and everything installed here that it requires."""
    found: set[str] = set()
    waiting = [(name, extras)]
    while waiting:
        current, wanted = waiting.pop()
        if current in found:
            continue
        with contextlib.suppress(metadata.PackageNotFoundError):
            required = metadata.requires(current) or []
            found.add(current)
            for requirement in required:
                extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
                if extra is None or extra[1] in wanted:
                    waiting.append((re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower(), set()))
    return found
