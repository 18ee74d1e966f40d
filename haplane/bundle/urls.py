"""What an official bundle is fetched from: the list of what a mirror has to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from haplane.bundle.lock import ARCHITECTURES, Component, load_lock, versions_of
from haplane.bundle.pin import CONSTANTS


@dataclass(frozen=True)
class Needed:
    """One address or image reference, and the checksum or digest that it must have, where the lock pins it."""

    kind: Literal["file", "checksum", "image"]
    address: str
    pin: str | None

    def __str__(self) -> str:
        return f"{self.address}@{self.pin}" if self.kind == "image" and self.pin else self.address


def needed(components: Iterable[Component]) -> Iterator[Needed]:
    """Everything that building these components fetches."""
    for component in components:
        for download in component.downloads:
            yield Needed("file", download.url, download.sha256)
            if download.sha256 is None and download.published is not None:
                yield Needed("checksum", download.published, None)
        for image in component.images:
            yield Needed("image", image.reference, image.digest)


def sites() -> frozenset[str]:
    """The hosts that building and pinning contact, as a mirror names them."""
    components = load_lock(versions_of("official")[-1]).components("official", ARCHITECTURES[0])
    addresses = [CONSTANTS]
    for component in components:
        addresses += [f"https://{image.reference}" for image in component.images]
        for download in component.downloads:
            addresses += [url for url in (download.url, download.published) if url is not None]
    return frozenset(urlsplit(address).netloc for address in addresses)
