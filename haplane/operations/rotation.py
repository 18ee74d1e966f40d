"""What a rotation of keys leaves on a master while it is under way."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import shell


@operation()
def note_served() -> Generator[StringCommand, None, None]:
    """Remember that the API server on this host runs with the encryption keys as they are now."""
    yield shell("note_served")


@operation()
def read_every_secret(port: int) -> Generator[StringCommand, None, None]:
    """Have the API server on this host read every Secret.

    + port: its port
    """
    yield shell("read_every_secret", port=str(port))
