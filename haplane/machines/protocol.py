"""What a drill can do to the hosts of an inventory, whichever driver does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Armed(Protocol):
    """One fault with its undo in place. Leaving its context undoes it if ``undo`` was not called."""

    def apply(self) -> None:
        """Cause the fault. Raises HaplaneError when it cannot be caused."""

    def undo(self) -> None:
        """End it, and return when it has ended. Raises HaplaneError when it cannot be ended."""


Part = Callable[[float], AbstractContextManager[Armed]]
"""One host's part of a fault: given how many seconds it may last at most, it arms the undo."""


class Machines(Protocol):
    """Power of the hosts of one inventory. ``driver`` is its name; ``disposable``: their disks may be destroyed;
    ``keeps_off``: a host without power stays off until the undo.
    """

    driver: str
    disposable: bool
    keeps_off: bool

    def power_cut(self, hosts: Sequence[str]) -> Part:
        """Cut their power, all at the same moment; its undo powers them on and waits until they respond over SSH.

        Raises Refused when the driver cannot power them on again.
        """

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        """Destroy the disks of hosts that are off, or only their ``etcd`` part. Raises Refused unless disposable."""
