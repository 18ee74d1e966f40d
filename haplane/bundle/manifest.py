"""What a bundle directory holds: every file and image with its hash, size and destination on hosts.

The directory and this manifest are the same whatever source the bundle came from::

    DIRECTORY/manifest.json
    DIRECTORY/files/usr/local/bin/kubelet.zst     a file, compressed once when the bundle was made
    DIRECTORY/images/kube-apiserver.tar           an image archive, stored as it goes to hosts
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from haplane.domain.validation import first_error
from haplane.errors import INVENTORY, BadInput
from haplane.private import refuse_shared, refuse_shared_files

MANIFEST = "manifest.json"
BUILD = f"haplane bundle build {INVENTORY}"
ARCHITECTURE = "amd64"
"""The default."""

Role = Literal["master", "etcd", "worker", "load-balancer"]
Source = Literal["official", "modules"]
Checked = Literal["pinned", "published", "machine"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
VersionText = Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?(-[0-9a-z.]+)?$")]


def _inside_the_bundle(stored: str) -> str:
    path = PurePosixPath(stored)
    if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0].startswith("."):
        raise ValueError("must be a path inside the bundle")
    return stored


class Frozen(BaseModel):
    """A section of a file of ours: nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleFile(Frozen):
    """One file for hosts, of a component of the lock.

    ``sha256`` and ``size`` (bytes) are of the file as it lies on a host at ``path``; ``stored`` is where its copy,
    compressed or not, lies in the bundle directory.
    """

    component: str
    path: Annotated[str, Field(pattern=r"^/")]
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    mode: int
    stored: Annotated[str, AfterValidator(_inside_the_bundle)]
    stored_size: Annotated[int, Field(ge=0)]
    compression: Literal["zstd", "none"]
    roles: tuple[Role, ...]


class BundleImage(Frozen):
    """One container image: ``reference`` as manifests name it, ``file`` its OCI archive for ``ctr images import``."""

    reference: str
    file: BundleFile

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles whose hosts run this image."""
        return self.file.roles


class Manifest(Frozen):
    """A complete bundle.

    Its version and architecture name the directory that it is imported into. ``versions`` maps each component to its
    version. ``checksums`` says how each was verified: ``pinned`` (by the lock: sha256, or for modules go.sum),
    ``published`` (by what the release site publishes) or ``machine`` (not at all: it is a program of the machine the
    bundle was built on).
    """

    format: Literal[1] = 1
    kubernetes_version: VersionText
    etcd_version: VersionText
    architecture: Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
    source: Source
    versions: dict[str, str]
    checksums: dict[str, Checked]
    files: tuple[BundleFile, ...]
    images: tuple[BundleImage, ...]

    def everything(self) -> Iterator[BundleFile]:
        """Files and image archives alike."""
        yield from self.files
        yield from (image.file for image in self.images)

    def reference(self, name: str) -> str:
        """The image whose repository ends in ``name``, like ``pause``. Empty when there is none."""
        found = (image.reference for image in self.images)
        return next((each for each in found if each.rpartition(":")[0].rpartition("/")[2] == name), "")

    def build_command(self, directory: Path) -> str:
        """The command that makes this bundle again."""
        return build_command(self.source, self.kubernetes_version, self.architecture, directory)

    def needed_by(self, roles: Iterable[str]) -> tuple[BundleFile, ...]:
        """The files and image archives that a host with these roles gets."""
        wanted = set(roles)
        return tuple(file for file in self.everything() if wanted.intersection(file.roles))


def bundle_directory(named: str | None, kubernetes_version: str) -> Path:
    """The directory that an inventory names in ``cluster["bundle"]``, or the default one."""
    return Path(named).expanduser() if named else default_directory(kubernetes_version)


def cache_directory() -> Path:
    """What can be made again: in $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haplane"


def default_directory(kubernetes_version: str, architecture: str = ARCHITECTURE) -> Path:
    """Where a bundle lives unless the user says otherwise: in $XDG_CACHE_HOME, or ~/.cache."""
    return cache_directory() / "bundles" / f"{kubernetes_version}-{architecture}"


def build_command(source: Source, kubernetes_version: str, architecture: str, directory: Path) -> str:
    """The command that makes a bundle there."""
    options = ["--kubernetes-version", kubernetes_version]
    if source != "official":
        options = ["--source", source, *options]
    if architecture != ARCHITECTURE:
        options += ["--architecture", architecture]
    if directory != default_directory(kubernetes_version, architecture):
        options += ["--directory", str(directory)]
    return shlex.join(("haplane", "bundle", "build", *options))


def verify_command(directory: Path) -> str:
    """The command that hashes the bundle in a directory, whatever its version."""
    return f"haplane bundle verify --directory {shlex.quote(str(directory))}"


def load_manifest(directory: Path, build: str = BUILD) -> Manifest:
    """The manifest of a bundle whose files are all there (sizes are checked; ``verify`` hashes).

    Raises BadInput, with ``build`` as the command that makes it, when the bundle is absent, unreadable or incomplete,
    Refused when others can change it.
    """
    path, next_step = directory / MANIFEST, f"`{build}`"
    refuse_shared(directory)
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BadInput("there is no bundle here", where=str(directory), next_step=next_step) from error
    except ValidationError as error:
        why = first_error(error)
        raise BadInput("this bundle's manifest is damaged", where=str(path), why=why, next_step=next_step) from error
    except OSError as error:
        raise BadInput("this bundle cannot be read", where=str(path), why=str(error), next_step=next_step) from error
    refuse_shared_files(_parts(directory, manifest))
    for file in manifest.everything():
        if not is_stored(directory, file):
            where = str(directory / file.stored)
            raise BadInput("a file of this bundle is missing or cut short", where=where, next_step=next_step)
    return manifest


def parsed_manifest(directory: Path) -> Manifest | None:
    """What a directory claims to be, complete or not; None where nothing there can be read as a manifest."""
    try:
        return Manifest.model_validate_json((directory / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def _parts(directory: Path, manifest: Manifest) -> set[Path]:
    """What the bundle is read from: every file and the directories it lies in."""
    stored = [PurePosixPath(file.stored) for file in manifest.everything()]
    inside = {part for path in stored for part in (path, *path.parents)}
    return {directory / MANIFEST, *(directory / part for part in inside)}


def is_stored(directory: Path, file: BundleFile) -> bool:
    """Whether the file's stored copy is there and has its size."""
    stored = directory / file.stored
    try:
        return stored.is_file() and stored.stat().st_size == file.stored_size
    except (OSError, ValueError):  # a name that no file can have
        return False
