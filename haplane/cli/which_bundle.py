"""Which bundle a command of ``haplane bundle`` is about: its options, and the command that makes it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from haplane import supported
from haplane.bundle.command import build_for, source_of
from haplane.bundle.lock import ARCHITECTURES, Lock, load_lock, read_lock
from haplane.bundle.manifest import Source, build_command, bundle_directory, default_directory, parsed_manifest
from haplane.cli.output import Output
from haplane.cli.run import json_option, reports_errors
from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.errors import BadInput

FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Which:
    """The bundle that a command is about; ``inventory`` is the one that says so, if any."""

    version: str
    architecture: str
    directory: Path
    lock_file: Path | None
    inventory: Inventory | None

    def lock(self) -> Lock:
        """Its lock. Raises BadInput when there is none, or one for another version."""
        lock = read_lock(self.lock_file) if self.lock_file else load_lock(self.version)
        if self.inventory and lock.kubernetes_version != self.version:
            raise BadInput(
                f"this lock is for Kubernetes {lock.kubernetes_version}, the inventory wants {self.version}",
                where=str(self.lock_file),
                next_step=f"`haplane bundle pin {self.version} --output {self.lock_file}`",
            )
        return lock

    @property
    def build(self) -> str:
        """The command that makes it."""
        if self.inventory is not None:
            return build_for(self.inventory)
        lock = f" --lock {shlex.quote(str(self.lock_file))}" if self.lock_file else ""
        if (there := parsed_manifest(self.directory)) is not None:
            return there.build_command(self.directory) + lock
        source: Source = "official"
        with contextlib.suppress(BadInput):  # which building it explains
            source = source_of(self.lock())
        return build_command(source, self.version, self.architecture, self.directory) + lock


def which_bundle(function: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and options that say which bundle is meant; the command gets a ``which``."""

    def chosen(output: Output, **values: Any) -> Any:
        keys = ("inventory_file", "version", "architecture", "directory", "lock_file")
        return function(output, which=_which(*(values.pop(key) for key in keys)), **values)

    chosen.__doc__ = function.__doc__
    chosen.__name__ = function.__name__
    decorators = (
        click.argument("inventory_file", metavar="[INVENTORY]", required=False, type=FILE),
        click.option(
            "--kubernetes-version",
            "version",
            metavar="VERSION",
            help=f"The Kubernetes version; {supported.DEFAULT_VERSION} by default.",
        ),
        click.option(
            "--architecture",
            type=click.Choice(ARCHITECTURES),
            default=ARCHITECTURES[0],
            show_default=True,
            help="The hosts' architecture.",
        ),
        click.option(
            "--directory",
            type=click.Path(file_okay=False, path_type=Path),
            help="The bundle's directory; by default one in ~/.cache/haplane/bundles for each version.",
        ),
        click.option("--lock", "lock_file", type=FILE, help="A lock of `bundle pin`, instead of haplane's own."),
        json_option,
    )
    decorated: Callable[..., Any] = reports_errors(chosen)
    for decorator in reversed(decorators):
        decorated = decorator(decorated)
    return decorated


def _which(
    inventory: Path | None, version: str | None, architecture: str, directory: Path | None, lock_file: Path | None
) -> Which:
    if inventory is None:
        if lock_file is not None and version is None:
            version = read_lock(lock_file).kubernetes_version
        version = version or supported.DEFAULT_VERSION
        return Which(version, architecture, directory or default_directory(version, architecture), lock_file, None)
    if version is not None or directory is not None or lock_file is not None:
        raise BadInput(
            f"{inventory} already determines the bundle",
            next_step="leave out --kubernetes-version, --directory and --lock",
        )
    loaded = load_inventory(inventory)
    cluster = loaded.cluster
    named = cluster.bundle or str(default_directory(cluster.kubernetes_version, architecture))
    lock = Path(cluster.bundle_lock) if cluster.bundle_lock else None
    place = bundle_directory(named, cluster.kubernetes_version)
    return Which(cluster.kubernetes_version, architecture, place, lock, loaded)
