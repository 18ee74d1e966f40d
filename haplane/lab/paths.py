"""Where the lab keeps everything: one directory, made private, that may be deleted when no lab runs.

```
base/KEY/{root,balancer,packages}    the image: plain Debian, the layer with haproxy and keepalived, their .deb files
base/KEY/{plain,balancer}.disk       the same as disks of virtual machines
id_ed25519, host_ed25519_key         the client's key and the key all lab hosts share (with their .pub)
packages, packages-vm-12, ...        links to the packages of the newest image of that kind
accelerator                          what virtual machines run on here, once tried
known_hosts                          every address and name of every lab made here
labs/LAB/hosts/HOST/                 console.log, and what the kind of machine keeps of it (its disk)
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


def build_log() -> Path:
    """What making images printed."""
    return state_directory() / "base" / "build.log"


def lab_directory(lab: str) -> Path:
    """What belongs to one lab and goes away with it."""
    return state_directory() / "labs" / lab


def host_directory(lab: str, host: str) -> Path:
    """One host's disk and console log."""
    return lab_directory(lab) / "hosts" / host


def console_log(lab: str, host: str) -> Path:
    """What the host printed on its console since it was powered on."""
    return host_directory(lab, host) / "console.log"


def packages(name: str) -> Path:
    """A link to the .deb files of the newest image, by the name its recipe gives it."""
    return state_directory() / name


def accelerator() -> Path:
    """What was found to run virtual machines on this machine, since it was switched on."""
    return state_directory() / "accelerator"


def client_key() -> Path:
    """The private key that root and operator of every lab host accept."""
    return state_directory() / "id_ed25519"


def host_key() -> Path:
    """The private key that every lab host's sshd shows."""
    return state_directory() / "host_ed25519_key"


def known_hosts() -> Path:
    """An OpenSSH known_hosts file that holds every lab host."""
    return state_directory() / "known_hosts"
