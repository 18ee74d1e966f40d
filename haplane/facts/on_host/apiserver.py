"""The API server on this host."""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from haplane.facts.on_host.kubelet import last_error_of
from haplane.facts.on_host.kubernetes import (
    ADMIN_CONF,
    KUBE_SYSTEM,
    MOST_TEXT,
    NO_ANSWER,
    ODD_ANSWER,
    Forbidden,
    ask,
    credentials,
    why_not_ready,
)
from haplane.facts.on_host.probe import TlsConnection, read

ADMINISTRATOR_SECONDS = 3.0
UNUSED_NAME = "/api/v1/secrets?fieldSelector=metadata.name%3Dhaplane-none&resourceVersion=0"
TRANSFORM, INITIALISING = "transform", re.compile(r"^storage is \(re\)initializing: ")
"""Of what is said while its cache cannot be filled (pkg/storage/etcd3/store.go, pkg/storage/cacher/ready.go)."""
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
        "undecodable": why_undecodable(port) if why is None else "",
    }


def why_undecodable(port: int) -> str:
    """Why that API server cannot read a Secret that is in etcd, as its cache of them has it; "" where it can.

    It has none of the name that is asked for, and answers from the cache.
    """
    with contextlib.suppress(*ODD_ANSWER):
        context = credentials(read(ADMIN_CONF) or "")
        connection = TlsConnection("127.0.0.1", port, context=context, timeout=ADMINISTRATOR_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", UNUSED_NAME)
            answer = connection.getresponse()
            message = str(json.loads(answer.read()).get("message")) if answer.status in (429, 500) else ""
        return INITIALISING.sub("", message)[:MOST_TEXT] if TRANSFORM in message else ""
    return ""


def answer_to_administrator(port: int) -> dict[str, str]:
    """Why admin.conf, which is known there, ``forbids`` to look, or the status with which it ``rejects`` it.

    Neither where it may, and where that is not known.
    """
    with contextlib.suppress(*NO_ANSWER):
        try:
            ask(port, read(ADMIN_CONF) or "", [KUBE_SYSTEM], seconds=ADMINISTRATOR_SECONDS)
        except Forbidden as error:
            return {"forbids": str(error)}
        except OSError as error:
            status = REJECTED.search(str(error))
            return {"rejects": status.group(1)} if status else {}
    return {}
