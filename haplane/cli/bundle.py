"""``haplane bundle``: make, check, move and show the pinned binaries and images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from haplane import supported
from haplane.bundle.build import build as build_bundle
from haplane.bundle.command import refuse_another_bundle
from haplane.bundle.credentials import Credentials
from haplane.bundle.download import Site
from haplane.bundle.lock import load_lock, read_lock
from haplane.bundle.lock_text import refuse_unwritable, write_lock
from haplane.bundle.manifest import (
    Manifest,
    Source,
    default_directory,
    load_manifest,
)
from haplane.bundle.mirrors import Mirrors
from haplane.bundle.pin import Pinner
from haplane.bundle.transfer import export_bundle, import_bundle, read_manifest
from haplane.bundle.transport import Transport
from haplane.bundle.urls import needed, sites
from haplane.bundle.verify import verify as verify_bundle
from haplane.cli.output import Output
from haplane.cli.run import Commands, json_option, reports_errors
from haplane.cli.which_bundle import FILE, Which, which_bundle
from haplane.errors import BadInput, ExitCode, Problems

MEGABYTE = 1_000_000


def from_sites(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where files are fetched."""
    options = (
        click.option(
            "--mirror",
            "mirrors",
            multiple=True,
            metavar="[SITE=]URL",
            help="SITE=URL: a mirror of one site, like registry.k8s.io=https://HARBOR/PROJECT."
            " URL: one that serves every site as URL/SITE/PATH.",
        ),
        click.option("--ca-file", type=FILE, help="CA certificates to trust, instead of this machine's."),
        click.option("--netrc", type=FILE, help="Users and passwords for mirrors; $NETRC or ~/.netrc by default."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _site(output: Output, mirrors: tuple[str, ...], ca_file: Path | None, netrc: Path | None) -> Site:
    transport = Transport(ca_file=ca_file, credentials=Credentials.find(netrc))
    return Site(Mirrors.parse(mirrors, sites()), transport, on_wait=lambda text: output.progress("download", text))


@click.group(cls=Commands)
def command() -> None:
    """Build, pin, move and verify the bundle: the binaries and images that are installed on hosts."""


@command.command()
@click.option(
    "--source",
    type=click.Choice(["official", "modules"]),
    default="official",
    show_default=True,
    help="official: download what the projects publish. modules: build from Go modules on this machine.",
)
@from_sites
@which_bundle
def build(output: Output, *, which: Which, source: Source, **where: Any) -> None:
    """Build the bundle, or complete it; a complete one is not changed.

    With INVENTORY: the bundle that `haplane up INVENTORY` uses.
    """
    if source == "modules" and where["mirrors"]:
        raise BadInput("a mirror is for the official source", next_step="set GOPROXY to fetch Go modules elsewhere")
    site = _site(output, **where)
    manifest = build_bundle(
        source, which.directory, which.lock(), which.architecture, site=site, progress=output.progress
    )
    output.document({"directory": str(which.directory), **manifest.model_dump(mode="json")})
    output.line(f"bundle: Kubernetes {manifest.kubernetes_version} in {which.directory}, {_megabytes(manifest)}")


@command.command()
@which_bundle
def verify(output: Output, *, which: Which) -> ExitCode:
    """Verify the hash of every file against the manifest."""
    if which.inventory is not None:
        refuse_another_bundle(which.inventory, which.directory, load_manifest(which.directory, which.build))
    problems = verify_bundle(which.directory, output.progress, which.build)
    if problems:
        raise Problems(f"{len(problems)} of this bundle's files do not match the manifest", problems)
    output.document({"directory": str(which.directory), "verified": True})
    output.line("bundle: every file matches the manifest")
    return ExitCode.DONE


@command.command(name="list")
@which_bundle
def list_(output: Output, *, which: Which) -> None:
    """Show what is in the bundle."""
    manifest = load_manifest(which.directory, which.build)
    output.document({"directory": str(which.directory), **manifest.model_dump(mode="json")})
    output.table(("component", "version", "size", "source", "checksums"), _rows(manifest))
    output.line(f"{_megabytes(manifest)} in {which.directory}")


@command.command()
@which_bundle
def urls(output: Output, *, which: Which) -> None:
    """List what `bundle build` downloads: URLs of files, references of images; with --json also their pins."""
    lock = which.lock()
    if lock.official is None:
        raise BadInput(
            f"nothing is downloaded for Kubernetes {which.version}: its bundle is built from Go modules",
            next_step=f"`{which.build}`, with GOPROXY set to a mirror of Go modules where there is one",
        )
    found = list(needed(lock.components("official", which.architecture)))
    output.document([{"kind": one.kind, "address": one.address, "pin": one.pin} for one in found])
    for one in found:
        output.line(str(one))


@command.command()
@click.argument("version")
@click.option("--output", "target", type=FILE, help="The lock to write; kubernetes-VERSION.lock.toml by default.")
@click.option(
    "--component",
    "components",
    multiple=True,
    metavar="NAME=VERSION",
    help="Pin this version of a component instead of the one in haplane's own locks.",
)
@from_sites
@json_option
@reports_errors
def pin(output: Output, *, version: str, target: Path | None, components: tuple[str, ...], **where: Any) -> None:
    """Write a lock for a Kubernetes version from the checksums that the projects publish.

    Keep it beside the inventory and name it there: cluster["bundle_lock"] = "FILE".
    """
    target = target or Path(f"kubernetes-{version}.lock.toml")
    refuse_unwritable(target)
    chosen = dict(_named_version(text) for text in components)
    own = tuple(load_lock(each) for each in supported.VERSIONS)
    earlier = (read_lock(target),) if target.exists() else ()
    lock = Pinner(_site(output, **where), output.progress, own + earlier).pin(version, chosen)
    write_lock(target, lock, f"Written by `haplane bundle pin {version}`; do not edit, pin again.")
    output.document({"lock": str(target), **lock.model_dump(mode="json")})
    pins = lock.official
    if pins is not None:
        output.table(("component", "version"), list(pins.versions.items()))
        published = len(pins.sha256) + len(pins.digests) - len(pins.first_use)
        output.line(f"{published} checksums are published by the projects; these were trusted on first use:")
        for name in pins.first_use:
            output.line(f"  {name}  {pins.sha256.get(name) or pins.digests.get(name)}")
    output.line(f'wrote {target}; use it with cluster["bundle_lock"] = "{target}" in the inventory')


@command.command(name="export")
@click.argument("target", metavar="FILE", type=FILE)
@which_bundle
def export_(output: Output, *, which: Which, target: Path) -> None:
    """Write the bundle to one file, for sites without Internet."""
    sha256 = export_bundle(which.directory, target, output.progress, which.build)
    output.document({"file": str(target), "manifest_sha256": sha256})
    output.line(f"wrote {target}; the SHA-256 of its manifest is {sha256}")
    output.line(f"on the other machine: `haplane bundle import {target.name}`")


@command.command(name="import")
@click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="The bundle's directory; by default as for `bundle build`.",
)
@json_option
@reports_errors
def import_(output: Output, *, source: Path, directory: Path | None) -> None:
    """Import a file of `bundle export`, and verify the hash of everything in it."""
    manifest = read_manifest(source)
    place = directory or default_directory(manifest.kubernetes_version, manifest.architecture)
    sha256 = import_bundle(source, place, output.progress)
    output.document({"directory": str(place), "manifest_sha256": sha256, **manifest.model_dump(mode="json")})
    output.line(f"bundle: Kubernetes {manifest.kubernetes_version} in {place}, {_megabytes(manifest)}, verified")
    output.line(f"the SHA-256 of its manifest is {sha256}: compare it with what `bundle export` printed")


def _named_version(text: str) -> tuple[str, str]:
    name, separator, version = text.partition("=")
    if not separator or not version:
        raise BadInput(f"{text!r} is not a component and version", next_step="write it like etcd=3.6.14")
    return name, version


def _rows(manifest: Manifest) -> list[tuple[str, ...]]:
    """A line for each component; its size is that of its files on a host."""
    rows: list[tuple[str, ...]] = []
    for component, version in manifest.versions.items():
        size = sum(file.size for file in manifest.everything() if file.component == component)
        checksums = manifest.checksums[component]
        rows.append((component, version, f"{size / MEGABYTE:.1f} MB", manifest.source, checksums))
    return rows


def _megabytes(manifest: Manifest) -> str:
    stored = sum(file.stored_size for file in manifest.everything())
    return f"{stored / MEGABYTE:.0f} MB"
