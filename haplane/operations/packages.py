"""Debian packages that are not in the bundle: haproxy and keepalived."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.units import UnitState

APT = (
    "DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends "
    "-o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300"
)

DPKG = "DEBIAN_FRONTEND=noninteractive dpkg --force-confold"


@operation()
def installed(packages: Sequence[str], directory: str | None = None) -> Generator[StringCommand, None, None]:
    """Install packages that each bring a service of their own name.

    + packages: their names
    + directory: a directory on the host with .deb files to install from, instead of the configured repositories
    """
    missing = [name for name in packages if host.get_fact(UnitState, unit=name).get("LoadState") != "loaded"]
    if not missing:
        host.noop("every package is installed")
        return
    yield StringCommand(DPKG, "--configure -a || true")  # an interrupted installation is finished first
    if directory is not None:
        yield StringCommand("cd", QuoteString(directory), "&&", DPKG, "--install ./*.deb")
        return
    names = [QuoteString(name) for name in missing]
    yield StringCommand(APT, "update", "&&", APT, "install", *names)
