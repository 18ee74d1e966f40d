"""Two files that the inventory names, read once: what is decided from is their content, whatever becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haplane.config.model import Inventory
from haplane.desired.authentication import ca_file
from haplane.errors import BadInput
from haplane.private import refuse_everybodys

MOST_BYTES = 1 << 20
"""Of a CA file."""


@dataclass(frozen=True)
class UserFiles:
    """What ``pod_network_manifest`` and ``oidc-ca-file`` hold; None for one that the inventory does not name."""

    pod_network: str | None = None
    oidc_ca: str | None = None


NO_USER_FILES = UserFiles()


def read_user_files(inventory: Inventory) -> UserFiles:
    """Read them, and see that they are what they should be. Raises BadInput; no host is contacted."""
    manifest, ca = inventory.cluster.pod_network_manifest, ca_file(inventory)
    return UserFiles(
        pod_network=None if manifest is None else _pod_network(inventory, manifest),
        oidc_ca=None if ca is None else _oidc_ca(inventory, ca),
    )


def _pod_network(inventory: Inventory, path: str) -> str:
    # who names no manifest does not wait until a parser of YAML is loaded
    from haplane.desired.user_manifest import check_objects  # noqa: PLC0415

    try:
        refuse_everybodys(Path(path), "the pod network's manifest, which is applied with all rights")
        text = Path(path).read_text(encoding="utf-8")
        check_objects(text)
        return text
    except (OSError, ValueError) as error:
        raise BadInput(
            "the pod network's manifest cannot be read",
            where=f'{inventory.path}: cluster["pod_network_manifest"] = {path}',
            why=error.strerror if isinstance(error, OSError) else str(error),
            next_step="give the path of a YAML file, or leave the setting out to get flannel",
        ) from None


def _oidc_ca(inventory: Inventory, named: str) -> str:
    path = Path(inventory.path).parent / Path(named).expanduser()
    where = f'{inventory.path}: cluster["tuning"]["kube_apiserver"]'
    next_step = "give the path of a PEM file on this machine"
    try:
        refuse_everybodys(path, "oidc-ca-file, which decides who logs in")
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is larger than 1 MiB")
        text = path.read_text("ascii")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"oidc-ca-file cannot be read: {path}", where=where, why=why, next_step=next_step) from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        why = "it has no PEM certificate"
        raise BadInput(f"oidc-ca-file holds no certificate: {path}", where=where, why=why, next_step=next_step)
    return text
