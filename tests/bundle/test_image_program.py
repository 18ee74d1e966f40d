import gzip
import io
import json
import os
import subprocess
import tarfile
from types import SimpleNamespace

import pytest

from haplane.bundle import image_program
from haplane.bundle.compress import file_sha256
from haplane.bundle.image import make_layer, write_image
from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import BundleFile
from haplane.errors import HaplaneError


def test_a_program_comes_out_of_an_image_as_it_went_in(tmp_path, monkeypatch):
    (tmp_path / "program").write_bytes(b"#!/bin/sh\necho hello\n")
    (tmp_path / "other").write_bytes(b"x")
    layers = [make_layer({f"/usr/local/bin/{name}": tmp_path / name}, tmp_path) for name in ("program", "other")]
    write_image(tmp_path / "image.tar", "example/image:1", layers, ["program"], "amd64")
    image = described(tmp_path / "image.tar")
    with monkeypatch.context() as mounted:
        mounted.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
        with pytest.raises(HaplaneError, match="mounted noexec"):
            extract_program(tmp_path, image, "program", tmp_path / "out")
    extract_program(tmp_path, image, "program", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "program").read_bytes()
    with pytest.raises(HaplaneError, match="holds no kubelet"):
        extract_program(tmp_path, image, "kubelet", tmp_path / "out")
    (tmp_path / "out").unlink()
    with (tmp_path / "image.tar").open("ab") as image_file:
        image_file.write(b"changed")
    with pytest.raises(HaplaneError, match="is damaged"):
        extract_program(tmp_path, image, "program", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def described(archive):
    """As the bundle's manifest describes an image."""
    size = archive.stat().st_size
    return BundleFile(
        component="any", path=f"/{archive.name}", sha256=file_sha256(archive), size=size, mode=0o644,
        stored=archive.name, stored_size=size, compression="none", roles=("master",),
    )  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_layer_is_unpacked_to_its_bounds_only(tmp_path, monkeypatch, pack):
    (tmp_path / "program").write_bytes(bytes(3 << 20))
    layer = make_layer({"/usr/bin/program": tmp_path / "program"}, tmp_path)
    monkeypatch.setattr(image_program, "LAYER_BYTES", 1 << 20)
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        add(archive, "index.json", json.dumps({"manifests": [{"digest": "sha256:m"}]}).encode())
        add(archive, "blobs/sha256/m", json.dumps({"layers": [{"digest": "sha256:l", "mediaType": "x"}]}).encode())
        add(archive, "blobs/sha256/l", pack(plain(layer)))
    with pytest.raises(HaplaneError, match="cannot be read"):
        extract_program(tmp_path, described(tmp_path / "image.tar"), "program", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("out")) == []


def plain(layer):
    return subprocess.run(["zstd", "-dcq", layer.blob.content], stdout=subprocess.PIPE, check=True).stdout


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
