"""The source ``official``: what the projects publish, from their sites or a mirror of them."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from posixpath import normpath

from haplane.archives import members, unpacked
from haplane.bundle.download import Report, Site
from haplane.bundle.image_documents import Reference
from haplane.bundle.lock import Component, PinnedDownload, PinnedImage
from haplane.bundle.manifest import Source
from haplane.bundle.process import require
from haplane.bundle.published import checksum_in
from haplane.bundle.registry import Registry
from haplane.bundle.store import Made
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError, Refused

UNPACKED_BYTES = 1 << 30
"""Of an archive: the largest, containerd's, has 150 MiB."""


class OfficialMaker:
    """Downloads components; everything is checked against the lock, or the checksum the site publishes."""

    source: Source = "official"

    def __init__(self, architecture: str, site: Site) -> None:
        self.architecture = architecture
        self._site = site
        self._registry = Registry(site)

    def require_tools(self, components: Sequence[Component]) -> None:
        """Raise Problems when zstd is missing, Refused when anybody on the way could change what is not pinned."""
        require(["zstd"])
        mirrors = self._site.mirrors
        downloads = [part for each in components for part in each.downloads]
        images = [image for each in components for image in each.images]
        unpinned = [
            *(part.file_name for part in downloads if part.sha256 is None and mirrors.is_unauthenticated(part.url)),
            *(
                one.reference
                for one in images
                if one.digest is None and mirrors.is_unauthenticated(_manifest_url(one))
            ),
        ]
        if unpinned:
            raise Refused(
                "a mirror over http cannot be used for what is not pinned",
                why=f"any host on the path can change it, and the lock has no checksum for it: {', '.join(unpinned)}",
                next_step="use a mirror over https, a lock of `haplane bundle pin`, or --source modules",
            )

    def make(self, component: Component, scratch: Path, progress: Progress) -> Made:
        """Download the component's programs and images. Raises HaplaneError when one cannot be had."""
        binaries: dict[str, Path] = {}
        for download in component.downloads:
            binaries |= self._fetch_binaries(download, scratch, _reporter(component, download.file_name, progress))
        archives = {image.name: scratch / f"{image.name}.tar" for image in component.images}
        for image in component.images:
            report = _reporter(component, f"image {image.name}", progress)
            self._registry.fetch_image(
                image.reference,
                image.digest,
                self.architecture,
                target=archives[image.name],
                scratch=scratch,
                report=report,
            )
        pinned = [
            *(item.sha256 for item in component.downloads),
            *(item.digest for item in component.images),
        ]
        return Made(binaries, archives, "pinned" if all(pinned) else "published")

    def _fetch_binaries(self, download: PinnedDownload, scratch: Path, report: Report) -> dict[str, Path]:
        sha256 = download.sha256 or self._published(download)
        artifact = scratch / download.file_name
        self._site.download(download.url, artifact, sha256, report=report)
        if list(download.members.values()) == [""]:
            return dict.fromkeys(download.members, artifact)
        unpacked = scratch / "bin"
        unpacked.mkdir(exist_ok=True)
        return {name: _extract(artifact, member, unpacked / name) for name, member in download.members.items()}

    def _published(self, download: PinnedDownload) -> str:
        """The checksum that the project publishes beside the artifact."""
        text = self._site.document(download.published or "").decode(errors="replace")
        found = checksum_in(text, download.file_name)
        if found is None:
            raise HaplaneError(f"there is no SHA-256 of {download.file_name} here", where=download.published)
        return found


def _manifest_url(image: PinnedImage) -> str:
    name = Reference.parse(image.reference)
    return name.url("manifests", name.tag)


def _extract(archive: Path, member: str, target: Path) -> Path:
    try:
        with unpacked(archive, most=UNPACKED_BYTES) as tar:
            entries = members(tar, most=UNPACKED_BYTES)
            found = (entry for entry in entries if entry.isfile() and normpath(entry.name) == normpath(member))
            if (entry := next(found, None)) is None:
                raise HaplaneError(f"{archive.name} has no program {member}")
            content = tar.extractfile(entry)
            with target.open("wb") as file:
                shutil.copyfileobj(content or BytesIO(), file)
    except tarfile.TarError as error:
        raise HaplaneError(f"{archive.name} cannot be unpacked", why=str(error)) from error
    return target


def _reporter(component: Component, what: str, progress: Progress) -> Report:
    return lambda fraction: progress(component.name, what, fraction)
