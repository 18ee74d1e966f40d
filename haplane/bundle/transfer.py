"""A bundle as one file, for sites without Internet: a tar file with the manifest first.

An imported file is untrusted until it is hashed: only files that the manifest names are taken, each of its size.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from pydantic import ValidationError

from haplane.archives import Headers, members, opened
from haplane.bundle.compress import file_sha256
from haplane.bundle.manifest import BUILD, MANIFEST, BundleFile, Manifest, load_manifest
from haplane.bundle.store import Store
from haplane.bundle.verify import verify_files
from haplane.domain.progress import Progress
from haplane.domain.validation import first_error
from haplane.errors import BadInput, HaplaneError, Problems

MANIFEST_BYTES = 1 << 20
SUBJECT = "bundle"


def export_bundle(directory: Path, target: Path, progress: Progress, build: str = BUILD) -> str:
    """Write the bundle to a file, which appears complete; returns the SHA-256 of its manifest.

    ``build`` is the command that makes it. Raises BadInput when there is no complete bundle or the file is there
    already, HaplaneError when it cannot be written.
    """
    manifest = load_manifest(directory, build)
    if target.exists():
        raise BadInput("this file exists already", where=str(target), next_step="give another name")
    partial = target.with_name(f".{target.name}.partial")
    files = list(manifest.everything())
    try:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, directory, MANIFEST)
            for number, file in enumerate(files, 1):
                progress(SUBJECT, f"writing {target.name}", number / len(files))
                _add(archive, directory, file.stored)
        partial.replace(target)
    except OSError as error:
        raise HaplaneError("the bundle cannot be exported", where=str(target), why=str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
    return file_sha256(directory / MANIFEST)


def read_manifest(source: Path) -> Manifest:
    """The manifest of an exported bundle. Raises BadInput when the file is none."""
    with _opened(source) as archive:
        return _manifest(archive, source)[1]


def import_bundle(source: Path, directory: Path, progress: Progress) -> str:
    """Unpack an exported bundle and hash every file; its manifest is written last. Returns the manifest's SHA-256.

    Raises BadInput when the file is no complete bundle, Problems when files do not match the manifest, Locked
    while another run builds there.
    """
    store = Store(directory.absolute())
    with store.locked(), _opened(source) as archive:
        content, manifest = _manifest(archive, source)
        (directory / MANIFEST).unlink(missing_ok=True)
        expected = {file.stored: file for file in manifest.everything()}
        try:
            for member in members(archive, most=sum(file.stored_size for file in expected.values())):
                progress(SUBJECT, f"unpacking {member.name[:100]}")
                _unpack(archive, member, expected, store)
        except (tarfile.TarError, EOFError) as error:
            raise _damaged(source, str(error)) from error
        except OSError as error:
            raise HaplaneError("the bundle cannot be written", where=str(directory), why=str(error)) from error
        if expected:
            raise _damaged(source, f"it has no {min(expected)}")
        problems = verify_files(directory, manifest, f"haplane bundle import {source}", progress)
        if problems:
            raise Problems(f"{len(problems)} files do not match the manifest; the bundle is not used", problems)
        store.write(MANIFEST, BytesIO(content))
    return file_sha256(directory / MANIFEST)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, expected: dict[str, BundleFile], store: Store) -> None:
    file = expected.pop(member.name, None)
    content = archive.extractfile(member) if member.isreg() else None
    if file is None or content is None or member.size != file.stored_size:
        raise tarfile.TarError(f"{member.name[:200]!r} does not match the manifest")
    store.write(file.stored, content)


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with Headers(source.open("rb", buffering=0)) as file, opened(file) as archive:
            yield archive
    except (OSError, tarfile.TarError, EOFError) as error:
        raise _damaged(source, str(error)) from error


def _manifest(archive: tarfile.TarFile, source: Path) -> tuple[bytes, Manifest]:
    try:
        member = archive.next()
        if member is None or member.name != MANIFEST or not member.isreg() or member.size > MANIFEST_BYTES:
            raise _damaged(source, f"it does not begin with {MANIFEST}")
        content = archive.extractfile(member)
        text = content.read(MANIFEST_BYTES) if content else b""
        return text, Manifest.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(source, f"its manifest: {first_error(error)}") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _damaged(source, str(error)) from error


def _damaged(source: Path, why: str) -> BadInput:
    return BadInput("not a complete bundle", where=str(source), why=why, next_step="`haplane bundle export FILE`")


def _add(archive: tarfile.TarFile, directory: Path, name: str) -> None:
    path = directory / name
    member = tarfile.TarInfo(name)
    member.size, member.mode = path.stat().st_size, 0o600
    with path.open("rb") as content:
        archive.addfile(member, content)
