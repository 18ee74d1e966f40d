"""The API server on this host."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
from typing import Any

from haplane.facts.on_host.kubelet import last_error_of
from haplane.facts.on_host.kubernetes import KUBE_SYSTEM, Forbidden, ask, why_not_ready
from haplane.facts.on_host.probe import read

ADMINISTRATOR_SECONDS = 3.0
REJECTED = re.compile(r": (HTTP \d{3})$")
"""In the error of a request that was answered with another status than it should."""


def apiserver(port: int) -> dict[str, Any]:
    """/readyz of the API server on this host, without credentials; of one that does not listen its last error.

    And what it answers an administrator whom it serves no more: one who has lost all rights, or whom it rejects.
    """
    if not os.path.exists("/etc/kubernetes/manifests/kube-apiserver.yaml"):
        return {"ready": False}
    why = why_not_ready("127.0.0.1", port, seconds=3)
    gone = why is not None and "refused" in why
    return {
        "ready": why is None,
        "why": why or "",
        "last_error": last_error_of("kube-apiserver") if gone else "",
        **(answer_to_administrator(port) if why is None else {}),
    }


def answer_to_administrator(port: int) -> dict[str, str]:
    """Why admin.conf, which is known there, ``forbids`` to look, or the status with which it ``rejects`` it.

    Neither where it may, and where that is not known.
    """
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError):
        try:
            ask(port, read("/etc/kubernetes/admin.conf") or "", [KUBE_SYSTEM], seconds=ADMINISTRATOR_SECONDS)
        except Forbidden as error:
            return {"forbids": str(error)}
        except OSError as error:
            status = REJECTED.search(str(error))
            return {"rejects": status.group(1)} if status else {}
    return {}
