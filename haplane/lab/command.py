"""Run the machine's own tools, one at a time where they would get in each other's way."""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.waiting import wait_until

TOOLS = {
    "chroot": "coreutils",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "mount": "mount",
    "nft": "nftables",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
"""Every program the lab runs, and the Debian package that brings it."""

PACKAGES = tuple(sorted({*TOOLS.values(), "debian-archive-keyring"}))
"""What to install on a Debian machine before the first lab."""


def require_machine() -> None:
    """Raise Refused unless this is Linux, we are root and every tool is there; all missing ones are named."""
    if platform.system() != "Linux":
        raise Refused(
            "the lab needs Linux",
            why=f"this is {platform.system()}; its hosts are Linux namespaces of this machine",
            next_step="run it in a Debian virtual machine, or use inventories/vagrant.py",
        )
    if os.geteuid() != 0:
        raise Refused(
            "the lab needs root", why="it makes network namespaces, mounts and cgroups", next_step="run it with sudo"
        )
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        packages = sorted({TOOLS[tool] for tool in missing})
        raise Refused(
            f"the lab needs {', '.join(missing)}, not found on the PATH of this machine",
            next_step=f"apt-get install {' '.join(packages)}",
        )


def run(*argv: str | Path, stdin: str | None = None, timeout: float = 30.0) -> str:
    """The program's output. Raises HaplaneError with its standard error, DeadlinePassed after ``timeout`` seconds."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise DeadlinePassed(f"{words[0]} did not end within {timeout:.0f} s", where=shlex.join(words)) from error
    except FileNotFoundError as error:
        raise Refused(
            f"{words[0]} is not installed", next_step=f"apt-get install {TOOLS.get(words[0], '')}"
        ) from error
    if done.returncode != 0:
        why = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise HaplaneError(f"{words[0]} failed", where=shlex.join(words), why=why)
    return done.stdout


@contextmanager
def exclusive(path: Path, *, seconds: float, what: str) -> Iterator[None]:
    """Hold a file lock; wait up to ``seconds`` for another holder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(taken, seconds, f"{what}, which another run is doing")
        yield
