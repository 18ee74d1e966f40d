"""pyinfra deploys of a rotation of keys: staged, recorded, removed."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from haplane.deploys.single import single
from haplane.domain.files import WantedFile
from haplane.operations import files, rotation, timeouts

remove_staged = single(files.remove_directory, "Remove staged keys", timeouts.LOCAL, name="remove_staged")


@deploy("Write keys")
def write_keys(keys: Sequence[WantedFile]) -> None:
    """The same on every host that is given."""
    files.place(files=keys, name="Write keys", _timeout=timeouts.LOCAL)


@deploy("Record the keys in use")
def note_served(port: int) -> None:
    """For an API server that was restarted, once it has read every Secret."""
    rotation.read_every_secret(port=port, name="Read every Secret", _timeout=timeouts.REQUEST)
    rotation.note_served(name="Record the keys in use", _timeout=timeouts.LOCAL)
