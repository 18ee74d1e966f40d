"""The data that members hold: saved from one that runs, copied from one that is stopped, or sent there before."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from haplane.archives import Headers, members, opened
from haplane.config.model import Host
from haplane.errors import HaplaneError
from haplane.executor import Executor
from haplane.recovery.database import Database, take_in
from haplane.recovery.scratch.tools import Tools
from haplane.scripts import script


def save_survivor(host: Host, executor: Executor, tools: Tools, *, runs: bool) -> Database:
    """The verified data of one member. ``runs``: its etcd responds, though without quorum.

    Raises HaplaneError when the host or its data gives nothing usable.
    """
    directory = tools.new_directory(host.name)
    if runs:
        executor.fetch_output(host, script("save_survivor"), directory / "snapshot.db")
        return take_in(directory / "snapshot.db", tools)
    archive = directory / "data.tar"
    executor.fetch_output(host, script("copy_survivor"), archive)
    unpack(archive, directory / "data", host)
    archive.unlink()
    return take_in(directory / "data", tools)


def fetch_staged(host: Host, executor: Executor, path: str, target: Path, sha256: str) -> None:
    """A database that was sent to the host before.

    Raises HaplaneError, with nothing at ``target``, when it is not there or no longer what it was.
    """
    executor.fetch_output(host, script("print_staged", file=path), target)
    with target.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        target.unlink()
        raise HaplaneError(f"{host.name} has another database", why=f"{path} has changed since it was written")


def unpack(archive: Path, target: Path, host: Host) -> None:
    """A host's tar of its data directory below ``target``. Raises HaplaneError for anything but files inside it."""
    try:
        with Headers(archive.open("rb", buffering=0)) as file, opened(file) as tar:
            for member in members(tar, most=archive.stat().st_size):  # Debian 12's Python has no extraction filters
                if not (member.isreg() or member.isdir()) or ".." in member.name or member.name.startswith("/"):
                    raise tarfile.TarError(f"{member.name!r} is not a part of etcd's data")
                tar.extract(member, target, set_attrs=False)
    except (tarfile.TarError, OSError) as error:
        raise HaplaneError(f"the etcd data that {host.name} sent cannot be read", why=str(error)) from None
