"""What the bundle's own programs print for `--help`: they are unpacked and run here."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import Manifest, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.errors import HaplaneError
from haplane.streams import capture, last_line
from haplane.threads import Threads

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SECONDS = 20
"""A program that only prints needs a second, on a busy machine some."""

MOST_BYTES = 4 << 20


@cache
def helps(bundle: Path, programs: Sequence[str]) -> dict[str, str]:
    """By program. Empty where this machine cannot run them: the bundle is for another architecture.

    Raises HaplaneError for one that the bundle does not have, that is damaged, or that prints nothing.
    """
    manifest = load_manifest(bundle)
    if ARCHITECTURES.get(platform.machine()) != manifest.architecture:
        return {}
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory, Threads() as pool:
        texts = pool.map(lambda name: _help(bundle, manifest, name, Path(directory) / name), programs)
        return dict(zip(programs, texts, strict=True))


def _help(bundle: Path, manifest: Manifest, name: str, directory: Path) -> str:
    directory.mkdir()
    file = next((file for file in manifest.files if Path(file.path).name == name), None)
    image = next((one.file for one in manifest.images if f"/{name}:" in one.reference), None)
    if file is not None:
        program = unpack_program(bundle, manifest, file.path, directory)
    elif image is not None:
        program = directory / name
        extract_program(bundle, image, name, program)
    else:
        raise HaplaneError(f"the bundle has no {name}", where=str(bundle), next_step=manifest.build_command(bundle))
    try:
        done = capture([str(program), "--help"], b"", deadline_seconds=SECONDS, most=MOST_BYTES)
    except TimeoutError:
        raise HaplaneError(f"{name} --help did not end within {SECONDS} s", where=str(bundle)) from None
    finally:
        program.unlink()
    if not done.stdout and not done.stderr:
        raise HaplaneError(f"{name} --help prints nothing", where=str(bundle), why=last_line(done.stderr))
    return (done.stdout + done.stderr).decode(errors="replace")
