"""One program out of an image archive of the bundle: an OCI image layout in a tar file."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import IO, Any

from haplane.archives import members, unpacked
from haplane.bundle.compress import file_sha256
from haplane.bundle.manifest import BundleFile, verify_command
from haplane.bundle.process import run
from haplane.bundle.unpack import make_executable
from haplane.errors import HaplaneError
from haplane.file_limits import writing_at_most

LAYER_BYTES = 1 << 30
"""Of an unpacked layer: kube-apiserver's, the largest, has 90 MiB."""
LAYER_MEMBERS = 100_000


def extract_program(bundle: Path, image: BundleFile, program: str, target: Path) -> None:
    """The file of that name in the bundle's image, to ``target``, executable. The topmost layer that has one counts.

    Raises HaplaneError when it is not there, or when the image is not the one in the bundle's manifest.
    """
    archive = bundle / image.stored
    if file_sha256(archive) != image.sha256:
        next_step = f"`{verify_command(bundle)}`"
        raise HaplaneError("a file of the bundle is damaged", where=str(archive), next_step=next_step)
    try:
        with unpacked(archive, most=image.size) as image_layout:
            found = any(
                _out_of_layer(image_layout, layer, program, target) for layer in reversed(_layers(image_layout))
            )
    except tarfile.TarError as error:
        raise HaplaneError("an image of the bundle cannot be read", where=str(archive), why=str(error)) from error
    if found:
        make_executable(target)
        return
    raise HaplaneError(
        f"the image holds no {program}",
        where=str(archive),
        next_step=f"move {bundle} away and re-run: the command that builds it anew is named then",
    )


def _layers(image: tarfile.TarFile) -> list[dict[str, str]]:
    index = _json(image, "index.json")
    return list(_json(image, _blob(index["manifests"][0]["digest"]))["layers"])


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _json(image: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(_content(image, name).read())


def _content(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> IO[bytes]:
    """Raises tarfile.ReadError where it is no file, LookupError where it is not there."""
    content = archive.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member} is no file")
    return content


def _out_of_layer(image: tarfile.TarFile, layer: dict[str, str], program: str, target: Path) -> bool:
    """Whether the layer has the program, which is at ``target`` then."""
    packed = target.with_name(f"{target.name}.layer")
    plain = packed.with_suffix(".tar")
    try:
        _save(_content(image, _blob(layer["digest"])), packed)
        if layer.get("mediaType", "").endswith("zstd"):
            command = ["zstd", "--quiet", "--force", "--decompress", str(packed), "-o", str(plain)]
            run(writing_at_most(LAYER_BYTES, command), what=f"unpacking {packed.name}")
        else:
            packed.rename(plain)
        with unpacked(plain, most=LAYER_BYTES) as files:
            for member in members(files, most=LAYER_BYTES, count=LAYER_MEMBERS):
                if member.isfile() and Path(member.name).name == program:
                    _save(_content(files, member), target)
                    return True
    finally:
        packed.unlink(missing_ok=True)
        plain.unlink(missing_ok=True)
    return False


def _save(content: IO[bytes], target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)
