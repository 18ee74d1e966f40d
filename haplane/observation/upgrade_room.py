"""How much room all hops of an upgrade take on hosts: what the first one sends, and what later bundles differ in."""

from __future__ import annotations

from haplane.bundle.manifest import BundleFile, Manifest
from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.plan import Kind
from haplane.domain.upgrade_checks import IMAGE_FACTOR
from haplane.observation.upgrade import upgrade_of

SWITCHES = (Kind.UPGRADE_ETCD, Kind.UPGRADE_CONTROL_PLANE, Kind.UPGRADE_NODE)


def bytes_needed(context: Context) -> dict[str, int]:
    """In /var/lib, by host. Staged binaries go with their hop; images stay, with what containerd makes of them."""
    manifests = list(upgrade_of(context).manifests.values())
    return {
        host.name: _staged(context, host, manifests) + IMAGE_FACTOR * _images(context, host, manifests)
        for host in context.reachable(context.inventory.hosts)
    }


def bytes_switched(context: Context) -> dict[str, int]:
    """By host, of the programs that one hop puts in their places: the largest."""
    manifests = list(upgrade_of(context).manifests.values())
    found = {}
    for host in context.reachable(context.inventory.hosts):
        due = {path for kind in SWITCHES for path in context.plan.items(host.name, kind)}
        found[host.name] = _largest(context, host, manifests, due)
    return found


def _staged(context: Context, host: Host, manifests: list[Manifest]) -> int:
    return _largest(context, host, manifests, set(context.plan.items(host.name, Kind.STAGE)))


def _largest(context: Context, host: Host, manifests: list[Manifest], due: set[str]) -> int:
    """Of the hops: bytes of the binaries that are ``due`` in the first, or that a later bundle has anew."""
    roles = context.inventory.roles(host)
    sizes = [sum(file.size for file in manifests[0].files if file.path in due)]
    for before, after in zip(manifests, manifests[1:], strict=False):
        known = {_content(file) for file in before.files}
        new = [file for file in after.files if set(file.roles).intersection(roles) and _content(file) not in known]
        sizes.append(sum(file.size for file in new))
    return max(sizes)


def _images(context: Context, host: Host, manifests: list[Manifest]) -> int:
    """Bytes of the archives that are due in the first hop, and of those that only a later bundle has."""
    due, roles = set(context.plan.items(host.name, Kind.STAGE)), set(context.inventory.roles(host))
    known = {_content(one.file) for one in manifests[0].images}
    total = sum(one.file.size for one in manifests[0].images if due & {one.reference, one.file.path})
    for manifest in manifests[1:]:
        new = {_content(one.file): one.file.size for one in manifest.images if roles.intersection(one.roles)}
        total += sum(size for content, size in new.items() if content not in known)
        known |= new.keys()
    return total


def _content(file: BundleFile) -> tuple[str, str]:
    return file.path, file.sha256
