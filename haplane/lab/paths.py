"""Where the lab keeps everything: one directory, made private, that may be deleted when no lab runs.

```
base/KEY/{root,balancer,packages}    the image: plain Debian, the layer with haproxy and keepalived, their .deb files
id_ed25519, host_ed25519_key         the client's key and the key all lab hosts share (with their .pub)
packages                             a link to the newest image's packages
known_hosts                          every address and name of every lab made here
labs/LAB/hosts/HOST/                 upper, work, root, containerd, kubelet, etcd, console.log
```
"""

from __future__ import annotations

import os
from pathlib import Path

from haplane.errors import BadInput


def state_directory() -> Path:
    """``$XDG_CACHE_HOME/haplane/lab``, by default ``~/.cache/haplane/lab``. It need not exist.

    Raises BadInput for a place that cannot be written in a mount's options.
    """
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "haplane" / "lab"
    if set(str(place)) & set(":,\\"):
        raise BadInput(f"{place} cannot hold the lab", why="its path has a colon, a comma or a backslash")
    return place


def image_directory(key: str) -> Path:
    """The image of that key, complete when it exists."""
    return state_directory() / "base" / key


def lab_directory(lab: str) -> Path:
    """What belongs to one lab and goes away with it."""
    return state_directory() / "labs" / lab


def host_directory(lab: str, host: str) -> Path:
    """One host's disk and console log."""
    return lab_directory(lab) / "hosts" / host


def packages() -> Path:
    """A link to the .deb files of the newest image."""
    return state_directory() / "packages"


def client_key() -> Path:
    """The private key that root and operator of every lab host accept."""
    return state_directory() / "id_ed25519"


def host_key() -> Path:
    """The private key that every lab host's sshd shows."""
    return state_directory() / "host_ed25519_key"


def known_hosts() -> Path:
    """An OpenSSH known_hosts file that holds every lab host."""
    return state_directory() / "known_hosts"
