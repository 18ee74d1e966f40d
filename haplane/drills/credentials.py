"""An administrator's credentials, read back from a master over SSH into memory."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from haplane.config.model import Inventory
from haplane.drills.client import Target
from haplane.errors import HaplaneError, Unreachable
from haplane.remote.openssh import run

ADMIN_KUBECONFIG = "/etc/kubernetes/admin.conf"


def administrator(inventory: Inventory) -> Target:
    """The endpoint with the credentials that some master keeps for its administrator.

    Raises Unreachable when no master answers and HaplaneError when none has them, each with its reason.
    """
    reasons: list[HaplaneError] = []
    for host in inventory.masters:
        try:
            answer = run(
                host, "kubectl", f"--kubeconfig={ADMIN_KUBECONFIG}", "config", "view", "--raw", "--output=json"
            )
            return from_kubeconfig(answer, inventory.cluster.endpoint.address, inventory.cluster.endpoint.port)
        except HaplaneError as error:
            reasons.append(error)
    kind = Unreachable if all(isinstance(error, Unreachable) for error in reasons) else HaplaneError
    raise kind(
        "no master could hand out the administrator's credentials",
        where=", ".join(host.name for host in inventory.masters),
        why="; ".join(error.why or error.what for error in reasons),
        next_step=f"haplane status {inventory.path}",
    )


def from_kubeconfig(document: bytes, address: str, port: int) -> Target:
    """The embedded credentials of a kubeconfig's current context, as ``kubectl config view --raw -o json`` prints it.

    Raises HaplaneError, without quoting any of it, when they are not embedded or not whole.
    """
    try:
        config = json.loads(document)
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return Target(
            address=address,
            port=port,
            authority=_decoded(cluster["certificate-authority-data"]),
            certificate=_decoded(user["client-certificate-data"]),
            key=_decoded(user["client-key-data"]),
        )
    except (ValueError, KeyError, TypeError, StopIteration, binascii.Error) as error:
        raise HaplaneError(
            "the administrator's kubeconfig holds no embedded certificate and key",
            where=ADMIN_KUBECONFIG,
            why=type(error).__name__,
        ) from None


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("ascii")
