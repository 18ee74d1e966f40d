"""The settings of the agent on an etcd member: one JSON file, 0600, written by `haplane up`.

Standard library only: the agent runs on hosts that have nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from haplane.domain.retention import KeepPolicy
from haplane.errors import BadInput

SETTINGS = "/etc/haplane/snapshots.json"
S3_CREDENTIALS = "/etc/haplane/s3-credentials"


@dataclass(frozen=True)
class S3Settings:
    """A bucket and how to reach it.

    ``credentials_file`` is an AWS shared-credentials file; None means the standard chain of the AWS SDK.
    ``endpoint_url`` None means AWS itself; ``ca_file`` None means the CAs that botocore ships.
    ``server_side_encryption`` and ``kms_key_id`` as in S3's own API; ``proxy`` is an HTTP(S) proxy's URL.
    """

    bucket: str
    endpoint_url: str | None = None
    region: str = "us-east-1"
    prefix: str = ""
    path_style: bool = True
    ca_file: str | None = None
    credentials_file: str | None = None
    server_side_encryption: str | None = None
    kms_key_id: str | None = None
    proxy: str | None = None


@dataclass(frozen=True)
class FailureSettings:
    """The alarm of a failed run: a command (no shell; the error is on its stdin), a URL to POST to, or both."""

    command: tuple[str, ...] = ()
    webhook: str | None = None


@dataclass(frozen=True)
class HostPaths:
    """Files of the host that the agent uses; only tests use others."""

    etcd_endpoint: str = "https://127.0.0.1:2379"
    etcd_authority: str = "/etc/etcd/pki/ca.crt"
    etcd_certificate: str = "/etc/etcd/pki/healthcheck-client.crt"
    etcd_key: str = "/etc/etcd/pki/healthcheck-client.key"
    signing_key: str = "/etc/haplane/signing.key"
    signer: str = "/etc/haplane/signing.json"
    sealed_keys: str = "/etc/haplane/sealed-keys.age"
    sealed_keys_facts: str = "/etc/haplane/sealed-keys.json"
    state: str = "/var/lib/haplane/snapshot-state.json"
    textfile_directories: tuple[str, ...] = ("/var/lib/prometheus/node-exporter", "/var/lib/haplane")
    """The first one that exists gets ``haplane_snapshot.prom``."""


@dataclass(frozen=True)
class AgentSettings:
    """Sizes in bytes. With ``max_bytes`` None only the free space limits local snapshots."""

    cluster: str
    member: str
    recipients: tuple[str, ...]
    interval_seconds: int = 60
    directory: str = "/var/lib/haplane/snapshots"
    max_bytes: int | None = None
    keep_local: KeepPolicy = field(default_factory=KeepPolicy)
    kubernetes_version: str | None = None
    s3: S3Settings | None = None
    on_failure: FailureSettings | None = None
    paths: HostPaths = field(default_factory=HostPaths)

    def to_json(self) -> str:
        """The content of the file; equal settings give equal text."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> AgentSettings:
        """Parse the file's content. Raises BadInput naming a field that is unknown or missing."""
        try:
            document = json.loads(text)
            if not isinstance(document, dict):
                raise TypeError("it is not an object")
            nested = {
                "keep_local": _nested(KeepPolicy, document.get("keep_local")) or KeepPolicy(),
                "s3": _nested(S3Settings, document.get("s3")),
                "on_failure": _nested(FailureSettings, document.get("on_failure")),
                "paths": _nested(HostPaths, document.get("paths")) or HostPaths(),
            }
            made: AgentSettings = _made(cls, {**document, **nested})
        except (ValueError, TypeError) as error:
            raise BadInput(
                "the settings of the snapshot agent are not valid",
                where=SETTINGS,
                why=str(error),
                next_step="`haplane up` writes them again",
            ) from error
        return made


def _nested(kind: type[Any], document: object) -> Any:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise TypeError(f"{kind.__name__} is not an object")
    return _made(kind, document)


def _made(kind: type[Any], document: dict[str, Any]) -> Any:
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in document.items()})
