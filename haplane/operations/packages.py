"""Packages of the distribution that are not in the bundle: haproxy, keepalived, nftables."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.facts.units import UnitState
from haplane.operations.run import shell


@operation()
def installed(
    script: str, packages: Mapping[str, str], directory: str | None = None
) -> Generator[StringCommand, None, None]:
    """Install packages that each bring a service.

    + script: the platform's, which installs packages
    + packages: each package's name by its service's
    + directory: a directory on the host with packages to install from, instead of the configured repositories
    """
    missing = [unit for unit in packages if host.get_fact(UnitState, unit=unit).get("LoadState") != "loaded"]
    if not missing:
        host.noop("every package is installed")
        return
    yield shell(script, [packages[unit] for unit in missing], directory=directory or "")
