"""A lock: the version, checksum and digest of everything in a bundle, for one Kubernetes version.

Those that come with haplane are ``pinned/locks/VERSION.toml``; ``haplane bundle pin`` writes others. What is built
from Go modules is pinned, down to every module's hash, by the go.mod and go.sum in
``pinned/modules/COMPONENT-VERSION/``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from haplane import supported
from haplane.bundle.manifest import Frozen, Sha256, Source, VersionText
from haplane.bundle.recipe import PINNED, Destination, Download, Image, Modules, Recipe, recipes_of
from haplane.domain.validation import first_error
from haplane.domain.versions import is_version
from haplane.errors import BadInput
from haplane.private import refuse_everybodys

RECIPE_FORMAT = 2  # raised when the same lock would give other bytes: every component is then made anew
ARCHITECTURES = ("amd64", "arm64")
LOCK_BYTES = 1 << 20

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class OfficialPins(Frozen):
    """What the projects publish: the checksum of each artifact by its address, the digest of each image.

    ``first_use`` are those addresses and references whose checksum nobody publishes: it is that of one download.
    """

    versions: dict[str, VersionText]
    sha256: dict[str, Sha256] = {}
    digests: dict[str, Digest] = {}
    first_use: tuple[str, ...] = ()


class ModulePins(Frozen):
    """Versions of Go modules. ``build_date`` is the timestamp of Kubernetes' module, which its programs report."""

    versions: dict[str, VersionText]
    build_date: str


class PinnedImage(Image):
    """An image, with its digest where that is known."""

    digest: Digest | None = None


class PinnedDownload(Download):
    """An artifact, with its checksum where that is known."""

    sha256: Sha256 | None = None


class Component(Frozen):
    """One project's programs and images as one source has them, for one architecture."""

    name: str
    version: str
    source: Source
    files: dict[str, Destination]
    images: tuple[PinnedImage, ...]
    modules: Modules
    downloads: tuple[PinnedDownload, ...]

    @property
    def module_directory(self) -> Path:
        """Where this component's go.mod and go.sum are."""
        return PINNED / "modules" / f"{self.name}-{self.version}"

    def fingerprint(self) -> str:
        """Changes whenever what is pinned changes: files made under another fingerprint are made anew."""
        recipe = {"format": RECIPE_FORMAT, **self.model_dump(mode="json")}
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
        if self.source == "modules" and self.modules.packages:
            for path in sorted(self.module_directory.iterdir()):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


class Lock(Frozen):
    """Everything pinned for one Kubernetes version, for the sources that have it."""

    kubernetes_version: VersionText
    official: OfficialPins | None = None
    modules: ModulePins | None = None

    def components(self, source: Source, architecture: str) -> tuple[Component, ...]:
        """Every component as that source has it for an architecture.

        Raises BadInput when the lock has nothing for that source or architecture.
        """
        if architecture not in ARCHITECTURES or (source == "modules" and architecture != "amd64"):
            possible = "amd64" if source == "modules" else " and ".join(ARCHITECTURES)
            raise BadInput(
                f"the source {source} makes no bundles for {architecture}",
                next_step=f"use --architecture {possible}, or --source official",
            )
        if source == "official":
            return tuple(self._downloaded(recipe, architecture) for recipe in recipes_of("official", PINNED))
        pins = self.modules
        if pins is None:
            raise self._absent("modules")
        found = (recipe for recipe in recipes_of("modules", PINNED) if recipe.name in pins.versions)
        return tuple(self._built(recipe, pins, architecture) for recipe in found)

    def _downloaded(self, recipe: Recipe, architecture: str) -> Component:
        pins = self.official
        if pins is None:
            raise self._absent("official")
        version = pins.versions[recipe.name]
        filled = recipe.filled(version, architecture)
        return Component(
            name=recipe.name,
            version=version,
            source="official",
            files=filled.files,
            images=tuple(
                PinnedImage(**image.model_dump(), digest=pins.digests.get(image.reference)) for image in filled.images
            ),
            modules=Modules(),
            downloads=tuple(
                PinnedDownload(**part.model_dump(), sha256=pins.sha256.get(part.url)) for part in filled.downloads
            ),
        )

    def _built(self, recipe: Recipe, pins: ModulePins, architecture: str) -> Component:
        version = pins.versions[recipe.name]
        filled = recipe.filled(version, architecture, pins.build_date)
        return Component(
            name=recipe.name,
            version=version,
            source="modules",
            files=filled.files,
            images=tuple(PinnedImage(**image.model_dump()) for image in filled.images),
            modules=filled.modules,
            downloads=(),
        )

    def _absent(self, source: Source) -> BadInput:
        return BadInput(
            f"the lock for Kubernetes {self.kubernetes_version} has nothing for the source {source}",
            next_step=f"choose another --source, or a version that has it: {', '.join(versions_of(source))}",
        )


def versions_of(source: Source) -> tuple[str, ...]:
    """The Kubernetes versions that haplane's own locks have for a source, oldest first."""
    return _having(source, supported.VERSIONS, supported.LOCKS)


@cache
def _having(source: Source, versions: Sequence[str], locks: Path) -> tuple[str, ...]:
    """Of these versions; kept, because every look of an upgrade chooses from them."""
    return tuple(one for one in versions if getattr(read_lock(locks / f"{one}.toml"), source) is not None)


def load_lock(kubernetes_version: str) -> Lock:
    """Haplane's own lock for that version. Raises BadInput when there is none."""
    if not is_version(kubernetes_version):
        raise BadInput(
            f"{kubernetes_version!r} is not a version", next_step=f"choose one of {', '.join(supported.VERSIONS)}"
        )
    if kubernetes_version not in supported.VERSIONS:
        raise BadInput(
            f"there is no lock for Kubernetes {kubernetes_version}",
            next_step=f"choose one of {', '.join(supported.VERSIONS)}, or: `haplane bundle pin {kubernetes_version}`",
        )
    return read_lock(supported.LOCKS / f"{kubernetes_version}.toml")


def read_lock(path: Path) -> Lock:
    """The lock in a file. Raises BadInput when it cannot be read or is no complete lock."""
    pin = f"haplane bundle pin VERSION --output {shlex.quote(str(path))}"
    next_step = f"move it away, then generate it again: `{pin}`"
    try:
        refuse_everybodys(path, "this lock, which decides what hosts run as root")
        with path.open("rb") as file:
            content = file.read(LOCK_BYTES + 1)
        if len(content) > LOCK_BYTES:
            raise BadInput("this lock is too large", where=str(path), next_step=next_step)
        lock = Lock.model_validate(tomllib.loads(content.decode()))
    except OSError as error:
        raise BadInput(
            "the lock cannot be read",
            where=str(path),
            why=error.strerror,
            next_step="give the path of a lock; `haplane bundle pin VERSION` writes one",
        ) from error
    except ValidationError as error:
        raise BadInput("not a valid lock", where=str(path), why=first_error(error), next_step=next_step) from error
    except ValueError as error:
        raise BadInput("not a valid lock", where=str(path), why=str(error), next_step=next_step) from error
    _require_every_component(lock, path, next_step)
    return lock


def _require_every_component(lock: Lock, path: Path, next_step: str) -> None:
    pinned: tuple[tuple[Source, OfficialPins | ModulePins | None], ...] = (
        ("official", lock.official),
        ("modules", lock.modules),
    )
    for source, pins in pinned:
        needed = [recipe.name for recipe in recipes_of(source, PINNED) if not recipe.is_optional]
        missing = [name for name in needed if pins and name not in pins.versions]
        if missing:
            why = f"{source}.versions has no {', '.join(missing)}"
            raise BadInput("this lock is incomplete", where=str(path), why=why, next_step=next_step)
