"""Image archives: every digest is true, and the same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from haplane.bundle.image import make_layer, write_image

REFERENCE = "registry.k8s.io/kube-proxy:v1.35.4"


def make(directory: Path) -> Path:
    directory.mkdir()
    program, helper = directory / "program", directory / "helper"
    program.write_bytes(b"program" * 1000)
    helper.write_bytes(b"helper" * 1000)
    layers = [
        make_layer({"/usr/sbin/nft": helper, "/lib/libnft.so.1": helper}, directory),
        make_layer({"/usr/local/bin/kube-proxy": program}, directory),
    ]
    target = directory / "image.tar"
    write_image(target, REFERENCE, layers, ["/usr/local/bin/kube-proxy"], "amd64")
    return target


def blob(archive: tarfile.TarFile, descriptor: dict[str, Any]) -> bytes:
    member = archive.extractfile(f"blobs/{descriptor['digest'].replace(':', '/')}")
    assert member is not None
    content = member.read()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return content


def test_the_chain_of_digests_holds_from_the_index_to_the_files(tmp_path: Path) -> None:
    with tarfile.open(make(tmp_path / "one")) as archive:
        index_file = archive.extractfile("index.json")
        assert index_file is not None
        entry = json.load(index_file)["manifests"][0]
        assert entry["annotations"]["io.containerd.image.name"] == REFERENCE
        manifest = json.loads(blob(archive, entry))
        config = json.loads(blob(archive, manifest["config"]))
        members = []
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
            unpack = subprocess.run(["zstd", "-dc"], input=blob(archive, layer), capture_output=True, check=True)
            assert f"sha256:{hashlib.sha256(unpack.stdout).hexdigest()}" == diff_id
            with tarfile.open(fileobj=io.BytesIO(unpack.stdout)) as tar:
                members.append(tar.getmembers())
    tools = {member.name: member for member in members[0]}
    assert list(tools) == ["lib", "tmp", "usr", "usr/sbin", "lib/libnft.so.1", "usr/sbin/nft"]
    assert (tools["usr/sbin/nft"].mode, tools["tmp"].mode) == (0o755, 0o1777)
    assert all((member.uid, member.mtime) == (0, 0) for layer in members for member in layer)


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    assert make(tmp_path / "one").read_bytes() == make(tmp_path / "two").read_bytes()
