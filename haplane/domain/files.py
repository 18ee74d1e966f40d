"""Files a host should have, and which part of the machine they belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum

ETCD_USER = "etcd"
"""What etcd runs as; its data and its own keys are this user's alone."""


class Part(Enum):
    """What has to notice when one of its files changes; a systemd unit has its name."""

    HOST = "host"
    CONTAINERD = "containerd"
    KUBELET = "kubelet"
    KUBELET_CONFIG = "kubelet configuration"
    ETCD = "etcd"
    CONTROL_PLANE = "control plane"
    HAPROXY = "haproxy"
    KEEPALIVED = "keepalived"
    VRRP_FILTER = "haplane-vrrp"
    SNAPSHOT_TIMER = "haplane-snapshot.timer"


@dataclass(frozen=True)
class WantedFile:
    """``content`` to be at ``path``; one that is ``secret`` is never shown, not even by repr.

    ``owner`` is a user and the group of the same name.
    """

    path: str
    content: bytes = field(repr=False)
    part: Part
    mode: int = 0o644
    secret: bool = False
    owner: str = "root"

    @classmethod
    def text(cls, path: str, text: str, part: Part, mode: int = 0o644) -> WantedFile:
        """One of root's that anybody may read."""
        return cls(path, text.encode(), part, mode)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the content."""
        return hashlib.sha256(self.content).hexdigest()
