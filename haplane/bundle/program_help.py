"""What the bundle's own programs print for --help: they are unpacked, print that here, and end."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import BundleFile, Manifest, cache_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.errors import HaplaneError
from haplane.private import make_private, refuse_shared
from haplane.streams import capture, last_line
from haplane.threads import Threads

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SECONDS = 20
"""A program that only prints needs a second, on a busy machine some."""

MOST_BYTES = 4 << 20

REFUSAL = re.compile(r"unknown flag: --[\w-]+|unrecognized feature gate: \w+|cannot set feature gate [^\"\n]{1,200}")
HAS_EVERY_GATE = "kube-apiserver"
"""Kubernetes registers all gates in one place, of kubelet and kube-proxy as well, and those two look at them late."""


@cache
def helps(bundle: Path, programs: Sequence[str]) -> dict[str, str]:
    """By program. Empty where this machine cannot run them: the bundle is for another architecture.

    What a program printed is kept by its digest: unpacking and running six takes all of two CPUs for seconds.
    Raises HaplaneError for one that the bundle does not have, that is damaged, or that prints nothing.
    """
    manifest = load_manifest(bundle)
    if ARCHITECTURES.get(platform.machine()) != manifest.architecture:
        return {}
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory, Threads() as pool:
        texts = pool.map(lambda name: _help(bundle, manifest, name, Path(directory) / name), programs)
        return dict(zip(programs, texts, strict=True))


def refusal(bundle: Path, program: str, argument: str, *, gate: bool = False) -> str | None:
    """What the program says of an argument like ``--name=`` or ``--feature-gates=Name=true``, or None if it takes it.

    A flag's value is not looked at. Raises as :func:`helps`.
    """
    manifest = load_manifest(bundle)
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        path = _unpacked(bundle, manifest, HAS_EVERY_GATE if gate else program, Path(directory))
        found = REFUSAL.search(_printed(bundle, path, argument, "--version"))
    return found.group() if found else None


def _help(bundle: Path, manifest: Manifest, name: str, directory: Path) -> str:
    kept = cache_directory() / "help" / f"{_file_of(bundle, manifest, name).sha256}-{name}"
    make_private(kept.parent)
    refuse_shared(kept.parent)
    if kept.exists():
        return kept.read_text()
    directory.mkdir()
    program = _unpacked(bundle, manifest, name, directory)
    text = _printed(bundle, program, "--help")
    program.unlink()
    new = kept.with_name(f"{kept.name}.{os.getpid()}")
    new.write_text(text)
    new.replace(kept)
    return text


def _file_of(bundle: Path, manifest: Manifest, name: str) -> BundleFile:
    """The file that is the program, or else the image that holds it."""
    files = [file for file in manifest.files if Path(file.path).name == name]
    images = [one.file for one in manifest.images if f"/{name}:" in one.reference]
    if not files and not images:
        raise HaplaneError(f"the bundle has no {name}", where=str(bundle), next_step=manifest.build_command(bundle))
    return (files or images)[0]


def _unpacked(bundle: Path, manifest: Manifest, name: str, directory: Path) -> Path:
    file = _file_of(bundle, manifest, name)
    if file in manifest.files:
        return unpack_program(bundle, manifest, file.path, directory)
    extract_program(bundle, file, name, directory / name)
    return directory / name


def _printed(bundle: Path, program: Path, *words: str) -> str:
    asked = " ".join((program.name, *words))
    try:
        done = capture([str(program), *words], b"", deadline_seconds=SECONDS, most=MOST_BYTES)
    except TimeoutError:
        raise HaplaneError(f"{asked} did not end within {SECONDS} s", where=str(bundle)) from None
    if not done.stdout and not done.stderr:
        raise HaplaneError(f"{asked} prints nothing", where=str(bundle), why=last_line(done.stderr))
    return (done.stdout + done.stderr).decode(errors="replace")
