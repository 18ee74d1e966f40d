"""Files a host should have, and which part of the machine they belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum


class Part(Enum):
    """What has to notice when one of its files changes; a systemd unit has its name."""

    HOST = "host"
    CONTAINERD = "containerd"
    KUBELET = "kubelet"
    KUBELET_CONFIG = "kubelet's configuration"
    ETCD = "etcd"
    CONTROL_PLANE = "control plane"
    HAPROXY = "haproxy"
    KEEPALIVED = "keepalived"
    SNAPSHOT_TIMER = "haplane-snapshot.timer"


@dataclass(frozen=True)
class WantedFile:
    """``content`` to be at ``path``; one that is ``secret`` is never shown, not even by repr."""

    path: str
    content: bytes = field(repr=False)
    part: Part
    mode: int = 0o644
    secret: bool = False

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the content."""
        return hashlib.sha256(self.content).hexdigest()
