"""A bundle directory while it is being made: one component after the other, each final when its stamp is written.

::

    DIRECTORY/.components/NAME.json   what the component gave, and the fingerprint of the recipe it was made by
    DIRECTORY/.scratch/NAME/          its intermediate files; gone once the stamp is there
    DIRECTORY/.lock                   held while somebody builds

Every file gets its name by a rename once it is complete, so an interrupted build leaves nothing half-written and
the next one goes on where it stopped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from pydantic import ValidationError

from haplane.bundle.compress import compress, file_sha256
from haplane.bundle.lock import Component, PinnedImage
from haplane.bundle.manifest import MANIFEST, BundleFile, BundleImage, Checked, Frozen, Manifest, Source, is_stored
from haplane.bundle.recipe import Destination
from haplane.domain import host_paths
from haplane.domain.progress import Progress
from haplane.errors import Locked
from haplane.private import make_private, refuse_shared


class Stamp(Frozen):
    """What making one component gave."""

    fingerprint: str
    version: str
    checksums: Checked
    files: tuple[BundleFile, ...] = ()
    images: tuple[BundleImage, ...] = ()


@dataclass(frozen=True)
class Made:
    """What a source hands over: programs and image archives by their names in the lock, and how checked."""

    binaries: dict[str, Path]
    archives: dict[str, Path]
    checksums: Checked


class Maker(Protocol):
    """One source of bundles."""

    source: Source
    architecture: str

    def require_tools(self, components: Sequence[Component]) -> None:
        """Raise Problems naming every tool this machine lacks to make these components."""

    def make(self, component: Component, scratch: Path, progress: Progress) -> Made:
        """Make or fetch one component; everything it leaves is in ``scratch``."""


class Store:
    """Adds finished files to a bundle directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory for one build at a time. Raises Locked when another holds it, Refused if shared."""
        make_private(self.directory)
        refuse_shared(self.directory)
        with (self.directory / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                where = str(self.directory)
                raise Locked("another run is making this bundle", where=where, next_step="wait for it") from error
            yield

    @contextmanager
    def scratch(self, component: str) -> Iterator[Path]:
        """A directory for intermediate files. It stays when making fails, so that go need not link again."""
        path = self.directory / ".scratch" / component
        make_private(path)
        yield path
        shutil.rmtree(path)
        with suppress(OSError):  # others are still in it
            path.parent.rmdir()

    def stamp(self, component: str, fingerprint: str) -> Stamp | None:
        """The component's stamp if it was made by this recipe and its files are still all there."""
        try:
            stamp = Stamp.model_validate_json(self._stamp_path(component).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        stored = [*stamp.files, *(image.file for image in stamp.images)]
        complete = all(is_stored(self.directory, file) for file in stored)
        return stamp if complete and stamp.fingerprint == fingerprint else None

    def finish(self, component: str, stamp: Stamp) -> None:
        """Mark a component as made."""
        self._write(self._stamp_path(component), stamp.model_dump_json(indent=1))

    def write_manifest(self, manifest: Manifest) -> None:
        """Make the bundle complete."""
        self._write(self.directory / MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def write(self, stored: str, content: IO[bytes]) -> None:
        """Store a file as it is, under its path in the bundle."""
        target = self.directory / stored
        partial = _partial(target)
        try:
            with partial.open("wb") as file:
                shutil.copyfileobj(content, file)
            _make_final(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def add_program(self, component: str, source: Path, destination: Destination) -> BundleFile:
        """Store a compressed copy of an executable for hosts."""
        stored = f"files{destination.path}.zst"
        target = self.directory / stored
        partial = _partial(target)
        compress(source, partial)
        _make_final(partial, target)
        return BundleFile(
            component=component,
            path=destination.path,
            sha256=file_sha256(source),
            size=source.stat().st_size,
            mode=0o755,
            stored=stored,
            stored_size=target.stat().st_size,
            compression="zstd",
            roles=destination.roles,
        )

    def add_image(self, component: str, archive: Path, image: PinnedImage) -> BundleImage:
        """Move an image's archive into the bundle as it is: its layers are compressed already."""
        stored = f"images/{image.name}.tar"
        target = self.directory / stored
        partial = _partial(target)
        archive.replace(partial)
        _make_final(partial, target)
        size = target.stat().st_size
        file = BundleFile(
            component=component,
            path=f"{host_paths.IMAGE_ARCHIVES}/{image.name}.tar",
            sha256=file_sha256(target),
            size=size,
            mode=0o644,
            stored=stored,
            stored_size=size,
            compression="none",
            roles=image.roles,
        )
        return BundleImage(reference=image.reference, file=file)

    def _stamp_path(self, component: str) -> Path:
        return self.directory / ".components" / f"{component}.json"

    def _write(self, target: Path, text: str) -> None:
        partial = _partial(target)
        partial.write_text(text)
        _make_final(partial, target)


def _partial(target: Path) -> Path:
    make_private(target.parent)
    return target.with_name(f".{target.name}.partial")


def _make_final(partial: Path, target: Path) -> None:
    """On disk first and ours alone, then under its name: a power cut leaves the old file or the new one."""
    partial.chmod(0o600)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
