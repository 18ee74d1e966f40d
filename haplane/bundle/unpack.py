"""One program out of a bundle, to be run on this machine."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from haplane.bundle.compress import file_sha256
from haplane.bundle.manifest import Manifest, verify_command
from haplane.bundle.process import run
from haplane.errors import BadInput, HaplaneError
from haplane.file_limits import writing_at_most


def unpack_program(bundle: Path, manifest: Manifest, path: str, directory: Path) -> Path:
    """The program that hosts have at ``path``, in ``directory``, checked and executable.

    Raises BadInput when the bundle has none and HaplaneError when its file does not match the manifest.
    """
    file = next((each for each in manifest.files if each.path == path), None)
    if file is None:
        raise BadInput(
            "the bundle has no such program",
            where=f"{bundle}: {path}",
            next_step=f"`{manifest.build_command(bundle)}`",
        )
    target = directory / Path(path).name
    if file.compression == "zstd":
        command = ["zstd", "--quiet", "--decompress", str(bundle / file.stored), "-o", str(target)]
        run(writing_at_most(file.size, command), what=f"unpacking {target.name}")
    else:
        shutil.copyfile(bundle / file.stored, target)
    if file_sha256(target) != file.sha256:
        raise HaplaneError(
            "a file of the bundle is damaged",
            where=f"{bundle / file.stored}",
            next_step=f"`{verify_command(bundle)}`",
        )
    make_executable(target)
    return target


def make_executable(program: Path) -> None:
    """Raises HaplaneError where programs cannot be run, as in a /tmp that is mounted noexec."""
    if os.statvfs(program).f_flag & os.ST_NOEXEC:
        raise HaplaneError(
            f"{program.name} cannot be run on this machine",
            where=str(program),
            why="its file system is mounted noexec",
            next_step="set TMPDIR to a directory that is on another one, and re-run",
        )
    program.chmod(stat.S_IRWXU)
