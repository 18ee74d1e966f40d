"""Container images put together from files, and the archives they travel in.

An archive is an OCI image layout in a tar file, with the annotation by which containerd names what it imports.
Layers are zstd-compressed once, here; the archive is therefore shipped and imported as it is.
https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from haplane.bundle.compress import compress, file_sha256

OCI = "application/vnd.oci.image"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"


@dataclass(frozen=True)
class Blob:
    """Content by its digest: a file's, or held in memory."""

    media_type: str
    digest: str
    size: int
    content: Path | bytes

    def descriptor(self) -> dict[str, object]:
        """How manifests and indexes refer to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Layer:
    """One compressed layer. ``diff_id`` is the digest of the tar it holds."""

    blob: Blob
    diff_id: str


def make_layer(files: dict[str, Path], scratch: Path) -> Layer:
    """A layer with these files (path in the image -> file here), made in the directory ``scratch``.

    The same files give the same bytes: entries are sorted, owned by root and from 1970; every program is executable.
    """
    name = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:16]
    tar, compressed = scratch / f"{name}.tar", scratch / f"{name}.tar.zst"
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for parent in _parents(files):
            archive.addfile(_entry(parent, mode=0o1777 if parent == "tmp" else 0o755, kind=tarfile.DIRTYPE))
        for path, source in sorted(files.items()):
            with source.open("rb") as content:
                archive.addfile(_entry(path.lstrip("/"), size=source.stat().st_size, mode=0o755), content)
    diff_id = file_sha256(tar)
    compress(tar, compressed)
    tar.unlink()
    blob = Blob(
        f"{OCI}.layer.v1.tar+zstd", f"sha256:{file_sha256(compressed)}", compressed.stat().st_size, compressed
    )
    return Layer(blob, f"sha256:{diff_id}")


def write_image(
    target: Path, reference: str, layers: Sequence[Layer], entrypoint: Sequence[str], architecture: str
) -> None:
    """Write the archive of an image made of these layers."""
    config = _json_blob(
        f"{OCI}.config.v1+json",
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [f"PATH={SEARCH_PATH}"], "Entrypoint": list(entrypoint), "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        },
    )
    manifest = _json_blob(
        f"{OCI}.manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.blob.descriptor() for layer in layers],
        },
    )
    write_archive(target, reference, manifest, [config, *(layer.blob for layer in layers)], architecture)


def write_archive(target: Path, reference: str, manifest: Blob, blobs: Iterable[Blob], architecture: str) -> None:
    """Write an OCI layout with one manifest, named ``reference`` for ``ctr images import``, and its blobs."""
    index = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.index.v1+json",
        "manifests": [
            {
                **manifest.descriptor(),
                "platform": {"architecture": architecture, "os": "linux"},
                "annotations": {
                    "io.containerd.image.name": reference,
                    "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
                },
            }
        ],
    }
    unique = {blob.digest: blob for blob in (manifest, *blobs)}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(archive, "index.json", json.dumps(index).encode())
        for digest, blob in unique.items():
            _add(archive, f"blobs/{digest.replace(':', '/')}", blob.content)


def _parents(files: Iterable[str]) -> list[str]:
    """Every directory the files need, and /tmp, which programs expect; parents first."""
    every = {"tmp"}
    for path in files:
        every.update(str(parent) for parent in PurePosixPath(path.lstrip("/")).parents)
    return sorted(every - {"."})


def _entry(name: str, *, size: int = 0, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.type = size, mode, kind
    return entry


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    if isinstance(content, bytes):
        archive.addfile(_entry(name, size=len(content)), io.BytesIO(content))
        return
    with content.open("rb") as file:
        archive.addfile(_entry(name, size=content.stat().st_size), file)


def _json_blob(media_type: str, document: dict[str, object]) -> Blob:
    content = json.dumps(document, sort_keys=True).encode()
    return Blob(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content)
