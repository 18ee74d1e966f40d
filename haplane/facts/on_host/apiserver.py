"""The API server on this host."""

from __future__ import annotations

import os
from typing import Any

from haplane.facts.on_host.kubelet import last_error_of
from haplane.facts.on_host.kubernetes import why_not_ready


def apiserver(port: int) -> dict[str, Any]:
    """/readyz of the API server on this host, without credentials; of one that does not listen its last error."""
    if not os.path.exists("/etc/kubernetes/manifests/kube-apiserver.yaml"):
        return {"ready": False}
    why = why_not_ready("127.0.0.1", port, seconds=3)
    gone = why is not None and "refused" in why
    return {"ready": why is None, "why": why or "", "last_error": last_error_of("kube-apiserver") if gone else ""}
