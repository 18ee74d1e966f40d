"""Debian and Ubuntu: apt and dpkg."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from haplane.domain.platform import Release

COMMANDS = {
    "ip": "iproute2",
    "ss": "iproute2",
    "systemctl": "systemd",
    "ping": "iputils-ping",
    "nft": "nftables",
    "journalctl": "systemd",
}
"""Packages with another name than the command that they bring; units have their package's name."""


@dataclass(frozen=True)
class Debian:
    """Older releases than these have a Python that the observer does not run on."""

    releases: Mapping[str, Release] = field(
        default_factory=lambda: {"debian": Release("Debian", "11"), "ubuntu": Release("Ubuntu", "22.04")}
    )
    package_suffix: str = ".deb"
    install_script: str = "install_debian_packages"
    upgrade_script: str = "upgrade_debian_packages"
    agent_releases: str = "Debian 12 or Ubuntu 24.04"

    def package_of(self, name: str) -> str:
        """Mostly of the same name."""
        return COMMANDS.get(name, name)

    def install_command(self, packages: Sequence[str]) -> str:
        """With apt-get."""
        return f"apt-get install {shlex.join(packages)}"
