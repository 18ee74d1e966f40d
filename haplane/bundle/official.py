"""The source ``official``: what the projects publish, from their sites or a mirror of them."""

from __future__ import annotations

import re
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from posixpath import normpath

from haplane.bundle.download import Report, Site
from haplane.bundle.lock import Component, Download
from haplane.bundle.manifest import Source
from haplane.bundle.process import require
from haplane.bundle.registry import Registry
from haplane.bundle.store import Made
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError


class OfficialMaker:
    """Downloads components; everything is checked against the lock, or what the site publishes where it says so."""

    source: Source = "official"

    def __init__(self, architecture: str, site: Site) -> None:
        self._site = site
        self._registry = Registry(site, architecture)

    def require_tools(self, components: Sequence[Component]) -> None:  # noqa: ARG002 - the same for all
        """Raise Problems when zstd is missing: nothing else is needed."""
        require(["zstd"])

    def make(self, component: Component, scratch: Path, progress: Progress) -> Made:
        """Download the component's programs and images. Raises HaplaneError when one cannot be had."""
        binaries: dict[str, Path] = {}
        for download in component.official.downloads:
            binaries |= self._fetch_binaries(download, scratch, _reporter(component, download.file_name, progress))
        archives = {image.name: scratch / f"{image.name}.tar" for image in component.images}
        for image in component.images:
            report = _reporter(component, f"image {image.name}", progress)
            self._registry.fetch_image(image.reference, image.digest, archives[image.name], scratch, report)
        pinned = [
            *(item.sha256 for item in component.official.downloads),
            *(item.digest for item in component.images),
        ]
        return Made(binaries, archives, "pinned" if all(pinned) else "published")

    def _fetch_binaries(self, download: Download, scratch: Path, report: Report) -> dict[str, Path]:
        sha256 = download.sha256 or self._published(download)
        artifact = scratch / download.file_name
        self._site.download(download.url, artifact, sha256, report=report)
        if list(download.members.values()) == [""]:
            return dict.fromkeys(download.members, artifact)
        unpacked = scratch / "bin"
        unpacked.mkdir(exist_ok=True)
        return {name: _extract(artifact, member, unpacked / name) for name, member in download.members.items()}

    def _published(self, download: Download) -> str:
        """The checksum beside the artifact: the only one there, or that of the line which names the artifact."""
        text = self._site.document(download.published or "").decode(errors="replace")
        lines = [line.split() for line in text.splitlines() if line.strip()]
        sums = [words[0] for words in lines if len(lines) == 1 or words[-1].lstrip("*") == download.file_name]
        if len(sums) != 1 or not re.fullmatch(r"[0-9a-f]{64}", sums[0]):
            raise HaplaneError(f"there is no SHA-256 of {download.file_name} here", where=download.published)
        return sums[0]


def _extract(archive: Path, member: str, target: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            found = (entry for entry in tar if entry.isfile() and normpath(entry.name) == normpath(member))
            content = tar.extractfile(next(found))
            with target.open("wb") as file:
                shutil.copyfileobj(content or BytesIO(), file)
    except StopIteration as error:
        raise HaplaneError(f"{archive.name} has no program {member}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise HaplaneError(f"{archive.name} cannot be unpacked", why=str(error)) from error
    return target


def _reporter(component: Component, what: str, progress: Progress) -> Report:
    return lambda fraction: progress(component.name, what, fraction)
