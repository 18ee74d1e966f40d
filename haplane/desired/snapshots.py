"""What a member needs to take snapshots, but for keys and the agent itself: settings, S3 credentials, units."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from haplane.agent.settings import AgentSettings, FailureSettings, S3Settings
from haplane.config.model import Host, Inventory
from haplane.config.snapshots import S3, Keep, Snapshots
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.retention import KeepPolicy
from haplane.errors import BadInput
from haplane.render import render

OWN_FILES = (
    host_paths.SNAPSHOT_SETTINGS_JSON,
    host_paths.S3_CREDENTIALS,
    host_paths.S3_CA_CRT,
    host_paths.SNAPSHOT_SERVICE,
    host_paths.SNAPSHOT_TIMER,
    host_paths.SEALED_KEYS_AGE,
    host_paths.SEALED_KEYS_JSON,
    host_paths.MEMBER_SIGNING_KEY,
    host_paths.MEMBER_SIGNER_JSON,
)
"""Everything that snapshots put on a member besides the agent and what it takes."""

DAY_SECONDS = 86400
LONGEST_FILE = 1 << 20


@dataclass(frozen=True)
class S3Files:
    """What the inventory's ``ca_file`` and ``credentials_file`` hold; None for one that it does not name."""

    ca: bytes | None = None
    credentials: bytes | None = field(default=None, repr=False)


NO_FILES = S3Files()


def read_s3_files(inventory: Inventory) -> S3Files:
    """Read them, and see that they are what they should be. Raises BadInput; no host is contacted."""
    snapshots = inventory.cluster.snapshots
    if snapshots is None or snapshots.s3 is None:
        return S3Files()
    s3 = snapshots.s3
    ca = _read(inventory, "ca_file", s3.ca_file) if s3.ca_file else None
    credentials = _read(inventory, "credentials_file", s3.credentials_file) if s3.credentials_file else None
    if ca is not None and not _is_certificate(ca):
        raise _unusable(inventory, "ca_file", "it holds no PEM certificate", "give the certificate of its CA")
    if credentials is not None and not all(word in credentials for word in (b"[default]", b"aws_secret_access_key")):
        why = "it has no section [default] with aws_access_key_id and aws_secret_access_key"
        raise _unusable(inventory, "credentials_file", why, "write it as AWS's tools do (~/.aws/credentials)")
    return S3Files(ca, credentials)


def snapshot_files(inventory: Inventory, host: Host, s3_files: S3Files) -> tuple[WantedFile, ...]:
    """None for a host that takes no snapshots."""
    snapshots = inventory.cluster.snapshots
    if snapshots is None or host not in inventory.etcd:
        return ()
    files = [
        WantedFile(
            host_paths.SNAPSHOT_SETTINGS_JSON,
            agent_settings(inventory, host, snapshots).to_json().encode(),
            Part.HOST,
            0o600,
        ),
        WantedFile(
            host_paths.SNAPSHOT_SERVICE,
            render("haplane-snapshot.service.j2", **_service(snapshots)).encode(),
            Part.HOST,
        ),
        WantedFile(host_paths.SNAPSHOT_TIMER, _timer(snapshots), Part.SNAPSHOT_TIMER),
    ]
    if s3_files.ca is not None:
        files.append(WantedFile(host_paths.S3_CA_CRT, s3_files.ca, Part.HOST))
    if s3_files.credentials is not None:
        files.append(WantedFile(host_paths.S3_CREDENTIALS, s3_files.credentials, Part.HOST, 0o600, secret=True))
    return tuple(files)


def agent_settings(inventory: Inventory, host: Host, snapshots: Snapshots) -> AgentSettings:
    """The inventory's settings as the agent on ``host`` reads them."""
    alarm = snapshots.on_failure
    return AgentSettings(
        cluster=inventory.cluster.name,
        member=host.name,
        recipients=snapshots.recipients,
        interval_seconds=snapshots.interval_seconds,
        directory=snapshots.directory,
        max_bytes=snapshots.max_bytes,
        keep_local=keep_policy(snapshots.keep_local),
        kubernetes_version=inventory.cluster.kubernetes_version,
        s3=s3_settings(snapshots.s3, host_paths.S3_CA_CRT, host_paths.S3_CREDENTIALS) if snapshots.s3 else None,
        on_failure=FailureSettings(alarm.command, alarm.webhook) if alarm.command or alarm.webhook else None,
    )


def s3_settings(s3: S3, ca: str | None, credentials: str | None) -> S3Settings:
    """The bucket, with the paths that its two files have where these settings are used."""
    return S3Settings(
        bucket=s3.bucket,
        endpoint_url=s3.endpoint_url,
        region=s3.region,
        prefix=s3.prefix,
        path_style=s3.path_style,
        ca_file=ca if s3.ca_file else None,
        credentials_file=credentials if s3.credentials_file else None,
        server_side_encryption=s3.server_side_encryption,
        kms_key_id=s3.kms_key_id,
        proxy=s3.proxy,
    )


def snapshot_directory(inventory: Inventory) -> str:
    """Where members keep theirs; the place by default where the inventory wants none any more."""
    snapshots = inventory.cluster.snapshots
    return snapshots.directory if snapshots else AgentSettings.directory


def keep_policy(keep: Keep) -> KeepPolicy:
    """The inventory's retention for :func:`haplane.domain.retention.keep`."""
    return KeepPolicy(**keep.model_dump())


@cache
def calendar(interval_seconds: int) -> tuple[str, ...]:
    """Systemd's words for the start and the middle of every slot, in UTC.

    Slots are counted from the epoch; one of a length that divides a day begins with the day.
    """
    seconds: dict[int, list[int]] = defaultdict(list)
    for moment in range(0, DAY_SECONDS, interval_seconds // 2):
        seconds[moment // 60].append(moment % 60)
    hours: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
    for minute, in_minute in seconds.items():
        hours[minute % 60, tuple(in_minute)].append(minute // 60)
    minutes: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = defaultdict(list)
    for (minute, moments), in_hours in hours.items():
        minutes[tuple(in_hours), moments].append(minute)
    return tuple(
        f"*-*-* {_listed(same_hours, 24)}:{_listed(same_minutes, 60)}:{_listed(same_seconds, 60)} UTC"
        for (same_hours, same_seconds), same_minutes in minutes.items()
    )


def _listed(numbers: list[int] | tuple[int, ...], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(f"{number:02}" for number in numbers)


def _service(snapshots: Snapshots) -> dict[str, object]:
    return {"directory": snapshots.directory}


def _timer(snapshots: Snapshots) -> bytes:
    return render("haplane-snapshot.timer.j2", calendar=calendar(snapshots.interval_seconds)).encode()


def _read(inventory: Inventory, setting: str, path: str) -> bytes:
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise _unusable(inventory, setting, f"{path}: {error.strerror}", "give the path of a file") from None
    if len(content) > LONGEST_FILE:
        raise _unusable(inventory, setting, f"{path} is larger than 1 MiB", "give the path of the right file")
    return content


def _is_certificate(content: bytes) -> bool:
    try:
        return bool(load_pem_x509_certificates(content))
    except ValueError:
        return False


def _unusable(inventory: Inventory, setting: str, why: str, next_step: str) -> BadInput:
    return BadInput(
        f'cluster["snapshots"]["s3"]["{setting}"] cannot be used; no host was contacted',
        where=inventory.path,
        why=why,
        next_step=next_step,
    )
