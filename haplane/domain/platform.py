"""What haplane needs to know of a Linux distribution. Pure; the distributions themselves are in haplane.platforms."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Release:
    """A distribution's name for people, and its oldest release on which haplane works (``22.04``)."""

    name: str
    oldest: str


class Platform(Protocol):
    """A family of distributions with one package manager."""

    @property
    def releases(self) -> Mapping[str, Release]:
        """The supported releases, by their ID in /etc/os-release."""

    @property
    def package_suffix(self) -> str:
        """What the name of a package's file ends in."""

    @property
    def install_script(self) -> str:
        """The script in haplane/scripts that installs packages; ``$directory`` holds them, or is empty."""

    @property
    def upgrade_script(self) -> str:
        """The script in haplane/scripts that upgrades all packages, and prints what that changed."""

    @property
    def agent_releases(self) -> str:
        """The oldest releases whose Python runs the snapshot agent."""

    def package_of(self, name: str) -> str:
        """The package with the unit or command ``name``."""

    def install_command(self, packages: Sequence[str]) -> str:
        """The command with which an operator installs packages."""


@dataclass(frozen=True)
class Platforms:
    """The platforms that haplane works on."""

    known: tuple[Platform, ...]

    def of(self, os_id: str) -> Platform | None:
        """The one of this ID in /etc/os-release, or None."""
        return next((platform for platform in self.known if os_id in platform.releases), None)

    @property
    def supported(self) -> str:
        """For people: every distribution and its oldest release."""
        releases = [release for platform in self.known for release in platform.releases.values()]
        return " or ".join(f"{release.name} {release.oldest}" for release in releases) + ", or newer"


def architecture(machine: str) -> str:
    """The name that bundles and images have for what ``uname -m`` prints; else ``machine`` itself."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def version(text: str) -> tuple[int, ...]:
    """22.04 as (22, 4). A system without a version, as Debian's next release, is new."""
    numbers = re.findall(r"\d{1,9}", text)
    return tuple(map(int, numbers)) if numbers else (sys.maxsize,)
