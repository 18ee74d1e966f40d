"""Images come from a registry with every digest checked, and leave as an archive containerd can name."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from haplane.bundle.download import Site
from haplane.bundle.registry import Reference, Registry
from haplane.errors import HaplaneError

from .conftest import Mirror

REFERENCE = "docker.io/flannel/flannel:v1"
REPOSITORY = "registry-1.docker.io/v2/flannel/flannel"
OCI = "application/vnd.oci.image"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def publish(mirror: Mirror) -> str:
    """An image for amd64 and another architecture, as a registry serves it; returns the index's digest."""
    layer, config = gzip.compress(b"a layer", mtime=0), b'{"architecture": "amd64"}'
    parts = [{"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}]
    document = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": parts,
    }
    manifest = json.dumps(document).encode()
    entry = {"mediaType": f"{OCI}.manifest.v1+json", "digest": digest(manifest), "size": len(manifest)}
    other = {**entry, "digest": digest(b"other"), "platform": {"os": "linux", "architecture": "arm64"}}
    ours = {**entry, "platform": {"os": "linux", "architecture": "amd64"}}
    index = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [other, ours]}).encode()
    for content in (index, manifest):
        mirror.add(f"{REPOSITORY}/manifests/{digest(content)}", content)
    mirror.add(f"{REPOSITORY}/manifests/v1", index)
    for content in (layer, config):
        mirror.add(f"{REPOSITORY}/blobs/{digest(content)}", content)
    return digest(index)


def fetch(mirror: Mirror, directory: Path, pinned: str | None = None) -> tarfile.TarFile:
    target = directory / "image.tar"
    registry = Registry(Site(mirror.url), "amd64")
    registry.fetch_image(REFERENCE, pinned, target, directory, report=lambda _: None)
    return tarfile.open(target)


def read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


@pytest.mark.parametrize("token", [None, "opensesame"])
def test_the_image_for_our_architecture_arrives(mirror: Mirror, tmp_path: Path, token: str | None) -> None:
    mirror.token = token
    pinned = publish(mirror)
    with fetch(mirror, tmp_path, pinned) as archive:
        entry = json.loads(read(archive, "index.json"))["manifests"][0]
        assert entry["annotations"]["io.containerd.image.name"] == REFERENCE
        assert entry["platform"] == {"architecture": "amd64", "os": "linux"}
        blobs = [name for name in archive.getnames() if name.startswith("blobs/")]
        assert len(blobs) == 3
        assert all(digest(read(archive, name)) == name.removeprefix("blobs/").replace("/", ":") for name in blobs)


def test_a_pinned_image_that_changed_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    pinned = publish(mirror)
    mirror.files[f"{REPOSITORY}/manifests/{pinned}"] = b'{"schemaVersion": 2}'
    with pytest.raises(HaplaneError, match="wrong digest"):
        fetch(mirror, tmp_path, pinned)


def test_a_changed_layer_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror)
    for path in mirror.files:
        if "/blobs/" in path:
            mirror.files[path] += b"!"
    with pytest.raises(HaplaneError, match="wrong checksum"):
        fetch(mirror, tmp_path)


def test_an_absent_image_is_named(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(HaplaneError, match="flannel/manifests/v1 answers 404"):
        fetch(mirror, tmp_path)


@pytest.mark.parametrize(
    ("text", "host", "repository"),
    [
        ("registry.k8s.io/coredns/coredns:v1.13.1", "registry.k8s.io", "coredns/coredns"),
        ("docker.io/flannel/flannel:v0.26.7", "registry-1.docker.io", "flannel/flannel"),
        ("mirror.test:5000/pause:3.10.1", "mirror.test:5000", "pause"),
    ],
)
def test_references(text: str, host: str, repository: str) -> None:
    assert Reference.parse(text) == Reference(host, repository, text.rpartition(":")[2])
