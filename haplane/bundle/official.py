"""The source ``official``: what the projects publish, from their sites or a mirror of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from haplane.bundle.lock import Component
from haplane.bundle.manifest import Source
from haplane.bundle.store import Made
from haplane.domain.progress import Progress


class OfficialMaker:
    """Fetches."""

    source: Source = "official"

    def __init__(self, architecture: str, mirror: str | None) -> None:
        self.architecture = architecture
        self.mirror = mirror

    def require_tools(self, components: Sequence[Component]) -> None:
        """Raise."""

    def make(self, component: Component, scratch: Path, progress: Progress) -> Made:
        """Fetch."""
        raise NotImplementedError
