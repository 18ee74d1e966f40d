"""Masters that were set up under another name, or at another address, than the inventory gives them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError


def moved_hosts(
    addresses: Mapping[str, str], reports: Mapping[str, HostReport], evidence: Sequence[str]
) -> list[HaplaneError]:
    """Masters that were set up under another name, or at another address: ``addresses`` are by name what is wanted.

    A member votes under its name and is dialled at its address: neither follows the inventory by being written anew.
    """
    found = []
    been_through = [name for name in addresses if name in reports and set(evidence) & set(reports[name].files)]
    for name in been_through:
        known = reports[name].settings.get("name", name)
        address = reports[name].settings.get("address", addresses[name])
        if known != name:
            found.append(
                HaplaneError(
                    f"{name} is the host that was installed as {known}",
                    where=f"{name}: {addresses[name]}",
                    why="two addresses in the inventory are swapped, or a host was renamed: a master keeps its name",
                    next_step=f"name it {known} in the inventory, or reset it: `haplane reset INVENTORY {name}`",
                )
            )
        elif address != addresses[name]:
            found.append(
                HaplaneError(
                    f"{name} was installed at {address}, but the inventory has {addresses[name]}",
                    where=f"{name}: address",
                    why="etcd's other members and the API server's certificate know it by the old address",
                    next_step=f"restore the address {address}, or reset the host and rejoin it: "
                    f"`haplane reset INVENTORY {name}`, `haplane node repair INVENTORY {name}`",
                )
            )
    return found
