"""One program out of an image archive of the bundle: an OCI image layout in a tar file."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from haplane.bundle.compress import file_sha256
from haplane.bundle.manifest import BundleFile
from haplane.bundle.process import run
from haplane.bundle.unpack import make_executable
from haplane.errors import HaplaneError
from haplane.file_limits import writing_at_most

LAYER_BYTES = 1 << 30
"""Of an unpacked layer: kube-apiserver's, the largest, has 90 MiB."""


def extract_program(bundle: Path, image: BundleFile, program: str, target: Path) -> None:
    """The file of that name in the bundle's image, to ``target``, executable. The topmost layer that has one counts.

    Raises HaplaneError when it is not there, or when the image is not the one in the bundle's manifest.
    """
    archive = bundle / image.stored
    if file_sha256(archive) != image.sha256:
        raise HaplaneError("a file of the bundle is damaged", where=str(archive), next_step="haplane bundle verify")
    with tarfile.open(archive) as members:
        index = _json(members, "index.json")
        manifest = _json(members, _blob(index["manifests"][0]["digest"]))
        for layer in reversed(manifest["layers"]):
            packed = target.with_name(f"{target.name}.layer")
            _save(members, _blob(layer["digest"]), packed)
            found = _out_of_layer(packed, str(layer.get("mediaType", "")), program, target)
            packed.unlink()
            if found:
                make_executable(target)
                return
    raise HaplaneError(f"the image holds no {program}", where=str(archive), next_step="haplane bundle build")


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _json(members: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - any JSON
    file = members.extractfile(name)
    if file is None:
        raise HaplaneError("the image archive is incomplete", where=name)
    return json.loads(file.read())


def _save(members: tarfile.TarFile, name: str, target: Path) -> None:
    content = members.extractfile(name)
    if content is None:
        raise HaplaneError("the image archive is incomplete", where=name)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _out_of_layer(packed: Path, kind: str, program: str, target: Path) -> bool:
    plain = packed
    if kind.endswith("zstd"):
        plain = packed.with_suffix(".tar")
        command = ["zstd", "--quiet", "--force", "--decompress", str(packed), "-o", str(plain)]
        run(writing_at_most(LAYER_BYTES, command), what=f"unpacking {packed.name}")
    try:
        with tarfile.open(plain) as layer:
            for member in layer:
                if member.isfile() and Path(member.name).name == program:
                    content = layer.extractfile(member)
                    if content is not None:
                        with target.open("wb") as file:
                            shutil.copyfileobj(content, file)
                        return True
    finally:
        if plain is not packed:
            plain.unlink()
    return False
