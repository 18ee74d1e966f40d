"""``haplane bundle``: make, check and show the pinned binaries and images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from haplane.bundle.build import build as build_bundle
from haplane.bundle.lock import supported_versions
from haplane.bundle.manifest import Manifest, Source, default_directory, load_manifest
from haplane.bundle.verify import verify as verify_bundle
from haplane.cli.output import Output
from haplane.cli.run import json_option, reports_errors
from haplane.errors import ExitCode, Problems

MEGABYTE = 1_000_000


def which_bundle(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which bundle is meant."""
    version = click.option(
        "--kubernetes-version", "version", default=supported_versions()[-1], show_default=True, metavar="VERSION"
    )
    directory = click.option(
        "--directory",
        type=click.Path(file_okay=False, path_type=Path),
        help="The bundle's directory; by default one in ~/.cache/haplane/bundles for each version.",
    )
    return version(directory(json_option(function)))


@click.group()
def command() -> None:
    """The pinned, checksummed binaries and images that hosts get, made once."""


@command.command()
@which_bundle
@click.option(
    "--source",
    type=click.Choice(["official", "modules"]),
    default="official",
    show_default=True,
    help="official: download what the projects publish. modules: build from Go modules on this machine.",
)
@click.option("--mirror", metavar="URL", help="Download from URL/HOST/PATH instead of https://HOST/PATH.")
@reports_errors
def build(output: Output, source: Source, version: str, directory: Path | None, mirror: str | None) -> None:
    """Make the bundle, or complete it; a complete one is left alone."""
    place = directory or default_directory(version)
    manifest = build_bundle(source, place, version, mirror, output.progress)
    output.document({"directory": str(place), **manifest.model_dump(mode="json")})
    output.line(f"bundle: Kubernetes {manifest.kubernetes_version} in {place}, {_megabytes(manifest)}")


@command.command()
@which_bundle
@reports_errors
def verify(output: Output, version: str, directory: Path | None) -> ExitCode:
    """Hash every file and compare it with the manifest."""
    place = directory or default_directory(version)
    problems = verify_bundle(place, output.progress)
    if problems:
        raise Problems(f"{len(problems)} of this bundle's files are not what the manifest says", problems)
    output.document({"directory": str(place), "verified": True})
    output.line("bundle: every file is what the manifest says")
    return ExitCode.DONE


@command.command(name="list")
@which_bundle
@reports_errors
def list_(output: Output, version: str, directory: Path | None) -> None:
    """Show what is in the bundle."""
    place = directory or default_directory(version)
    manifest = load_manifest(place)
    output.document({"directory": str(place), **manifest.model_dump(mode="json")})
    output.table(("component", "version", "size", "source", "checksums"), _rows(manifest))
    output.line(f"{_megabytes(manifest)} in {place}")


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
