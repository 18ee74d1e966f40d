"""The keys of Secrets at rest: the snapshot's and the hosts' own."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.observation.restore import hosts_of, restoration, up_to
from haplane.pki.encryption import merge_encryption, parse_encryption, render_encryption


def merge_encryption_keys(context: Context) -> None:
    """On every master the key that writes now, then every other that anybody has: old Secrets stay readable."""
    masters = [host for host in hosts_of(context) if host in context.inventory.masters]
    found = [
        context.executor.read_files(host, [host_paths.ENCRYPTION_YAML]).get(host_paths.ENCRYPTION_YAML)
        for host in masters
    ]
    held = [parse_encryption(text, host_paths.ENCRYPTION_YAML) for text in found if text is not None]
    merged = render_encryption(merge_encryption([*held, restoration(context).encryption_keys]))
    file = WantedFile(host_paths.ENCRYPTION_YAML, merged, Part.CONTROL_PLANE, 0o600, secret=True)
    context.deploy(masters, recipes.write_encryption, encryption=file)


MERGE_ENCRYPTION_KEYS = Phase(
    "Merge the encryption keys of the snapshot and of the hosts", (), merge_encryption_keys, when=up_to("replacing")
)
