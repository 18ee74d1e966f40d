"""Proves a bundle byte for byte."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from haplane.bundle.compress import decompressed_sha256, file_sha256
from haplane.bundle.manifest import BUILD, BundleFile, Manifest, load_manifest
from haplane.domain.progress import Progress
from haplane.errors import BadInput, HaplaneError
from haplane.threads import Threads


def verify(directory: Path, progress: Progress, build: str = BUILD) -> list[HaplaneError]:
    """Hash every file as hosts would get it; returns a problem for each that does not match the manifest.

    ``build`` is the command that makes it. Raises BadInput when there is no complete bundle to hash.
    """
    return verify_files(directory, load_manifest(directory, build), build, progress)


def verify_files(directory: Path, manifest: Manifest, remedy: str, progress: Progress) -> list[HaplaneError]:
    """The same for a manifest that is not in the directory yet. ``remedy`` is the command that brings files again."""
    files = list(manifest.everything())
    problems = []
    with Threads() as pool:
        for number, problem in enumerate(pool.map(partial(_check, directory, remedy), files), 1):
            progress("bundle", "hashing", number / len(files))
            if problem is not None:
                problems.append(problem)
    return problems


def _check(directory: Path, remedy: str, file: BundleFile) -> HaplaneError | None:
    stored = directory / file.stored
    next_step = f"delete it and run: `{remedy}`"
    try:
        actual = decompressed_sha256(stored, file.size) if file.compression == "zstd" else file_sha256(stored)
    except (HaplaneError, OSError) as error:
        return BadInput(f"{file.path} cannot be read", where=str(stored), why=str(error), next_step=next_step)
    if actual == file.sha256:
        return None
    why = f"its SHA-256 is {actual}, the manifest lists {file.sha256}"
    return BadInput(f"{file.path} is damaged", where=str(stored), why=why, next_step=next_step)
