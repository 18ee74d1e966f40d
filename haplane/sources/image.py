"""One program out of an image archive of the bundle: an OCI image layout in a tar file."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from haplane.errors import HaplaneError


def extract_program(archive: Path, program: str, target: Path) -> None:
    """The file of that name in the image, to ``target``, executable. Raises HaplaneError when it is not there.

    The topmost layer that has one counts.
    """
    with tarfile.open(archive) as members:
        index = _json(members, "index.json")
        manifest = _json(members, _blob(index["manifests"][0]["digest"]))
        for layer in reversed(manifest["layers"]):
            packed = target.with_name(f"{target.name}.layer")
            _save(members, _blob(layer["digest"]), packed)
            found = _out_of_layer(packed, str(layer.get("mediaType", "")), program, target)
            packed.unlink()
            if found:
                target.chmod(0o700)
                return
    raise HaplaneError(f"the image holds no {program}", where=str(archive), next_step="haplane bundle build")


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _json(members: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - any JSON
    file = members.extractfile(name)
    if file is None:
        raise HaplaneError("the image archive is not whole", where=name)
    return json.loads(file.read())


def _save(members: tarfile.TarFile, name: str, target: Path) -> None:
    content = members.extractfile(name)
    if content is None:
        raise HaplaneError("the image archive is not whole", where=name)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _out_of_layer(packed: Path, kind: str, program: str, target: Path) -> bool:
    plain = packed
    if kind.endswith("zstd"):
        plain = packed.with_suffix(".tar")
        command = ["zstd", "--quiet", "--force", "--decompress", str(packed), "-o", str(plain)]
        subprocess.run(command, check=True, capture_output=True)
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
