"""An administrator's credentials, read from a master over SSH into memory."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from haplane.config.model import Inventory
from haplane.domain import host_paths
from haplane.drills.probing.client import Target
from haplane.errors import HaplaneError, Unreachable
from haplane.executor import Executor


def administrator(inventory: Inventory, executor: Executor) -> Target:
    """The endpoint with the administrator's credentials that masters keep.

    Raises Unreachable when no master is reachable and HaplaneError when none has them, each with its reason.
    """
    reasons: list[HaplaneError] = []
    for host in inventory.masters:
        try:
            answer = executor.run(
                host,
                "kubectl",
                f"--kubeconfig={host_paths.ADMIN_KUBECONFIG}",
                "config",
                "view",
                "--raw",
                "--output=json",
            )
            return from_kubeconfig(answer, inventory.cluster.endpoint.address, inventory.cluster.endpoint.port)
        except HaplaneError as error:
            reasons.append(error)
    kind = Unreachable if all(isinstance(error, Unreachable) for error in reasons) else HaplaneError
    raise kind(
        "the administrator's credentials could not be read from any master",
        where=", ".join(host.name for host in inventory.masters),
        why="; ".join(error.why or error.what for error in reasons),
        next_step=f"`haplane status {inventory.path}`",
    )


def from_kubeconfig(document: bytes, address: str, port: int) -> Target:
    """The embedded credentials of a kubeconfig's current context, as ``kubectl config view --raw -o json`` prints it.

    Raises HaplaneError, without quoting any of it, when they are not embedded or incomplete.
    """
    try:
        config = json.loads(document)
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return Target(
            address=address,
            port=port,
            ca=_decoded(cluster["certificate-authority-data"]),
            certificate=_decoded(user["client-certificate-data"]),
            key=_decoded(user["client-key-data"]),
        )
    except (ValueError, KeyError, TypeError, StopIteration, binascii.Error) as error:
        raise HaplaneError(
            "the administrator's kubeconfig holds no embedded certificate and key",
            where=host_paths.ADMIN_KUBECONFIG,
            why=type(error).__name__,
        ) from None


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("ascii")
