"""What members still hold when there is no quorum: saved from one that runs, salvaged from one that does not."""

from __future__ import annotations

import tarfile
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import HaplaneError
from haplane.remote.database import fetch_command
from haplane.sources.database import Database, take_in
from haplane.sources.tools import Tools

SAVE = """
set -eu
umask 077
directory=$(mktemp -d /var/lib/haplane/salvage.XXXXXX)
trap 'rm -rf "$directory"' EXIT
etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt --command-timeout=300s \\
    --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key \\
    snapshot save "$directory/snapshot.db" >&2
cat "$directory/snapshot.db"
"""
"""A snapshot asks no majority: it is what this member has applied."""

COPY = """
set -eu
if systemctl is-active --quiet etcd.service; then echo "etcd runs but does not answer: stop it first" >&2; exit 1; fi
tar --create --directory=/var/lib/etcd --sparse member
"""


def save_survivor(host: Host, tools: Tools, *, runs: bool, etcd_version: str) -> Database:
    """The data of one member, looked through. ``runs``: its etcd answers, though without quorum.

    Raises HaplaneError when the host or its data gives nothing usable.
    """
    directory = tools.new_directory(host.name)
    if runs:
        fetch_command(host, SAVE, directory / "snapshot.db")
        return take_in(directory / "snapshot.db", tools, etcd_version=etcd_version)
    archive = directory / "data.tar"
    fetch_command(host, COPY, archive)
    unpack(archive, directory / "data", host)
    archive.unlink()
    return take_in(directory / "data", tools, etcd_version=etcd_version)


def unpack(archive: Path, target: Path, host: Host) -> None:
    """A host's tar of its data directory below ``target``. Raises HaplaneError for anything but files inside it."""
    try:
        with tarfile.open(archive) as members:
            for member in members:  # Debian 12's Python has no extraction filters yet
                if not (member.isreg() or member.isdir()) or ".." in member.name or member.name.startswith("/"):
                    raise tarfile.TarError(f"{member.name!r} is no part of etcd's data")
                members.extract(member, target, set_attrs=False)
    except (tarfile.TarError, OSError) as error:
        raise HaplaneError(f"what {host.name} sent of its etcd data cannot be read", why=str(error)) from None
