"""Runs this machine's tools, one at a time where they would disturb each other."""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.private import make_private
from haplane.streams import MESSAGE_CHARACTERS, capture
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
    "unshare": "util-linux",
}
"""Every program that all labs run, and the Debian package that brings it; a kind of machine has more."""


def require_machine(more: Mapping[str, str]) -> None:
    """Raise Refused unless this is Linux, we are root and every tool is there; all missing ones are named.

    ``more`` is like TOOLS.
    """
    tools = TOOLS | dict(more)
    if platform.system() != "Linux":
        raise Refused(
            "the lab needs Linux",
            why=f"this is {platform.system()}; its hosts need Linux's network namespaces, nftables and cgroups",
            next_step="run it in a Debian virtual machine, or use inventories/vagrant.py",
        )
    if os.geteuid() != 0:
        raise Refused(
            "the lab needs root", why="it makes network namespaces, mounts and cgroups", next_step="run it with sudo"
        )
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        packages = sorted({tools[tool] for tool in missing})
        raise Refused(
            f"the lab needs {', '.join(missing)}, not found on the PATH of this machine",
            next_step=f"`apt-get install {' '.join(packages)}`",
        )


def run(*argv: str | Path, stdin: str | None = None, timeout: float = 30.0) -> str:
    """The program's output. Raises HaplaneError with its standard error, DeadlinePassed after ``timeout`` seconds."""
    words = [str(word) for word in argv]
    try:
        done = capture(words, (stdin or "").encode(), deadline_seconds=timeout)
    except TimeoutError as error:
        raise DeadlinePassed(f"{words[0]} did not end within {timeout:.0f} s", where=shlex.join(words)) from error
    except FileNotFoundError as error:
        package = TOOLS.get(words[0])
        next_step = f"`apt-get install {package}`" if package else "`haplane lab up` names the package that brings it"
        raise Refused(f"{words[0]} is not installed", next_step=next_step) from error
    stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.cut is not None or done.code != 0:
        why = done.cut or stderr.strip() or stdout.strip()[-MESSAGE_CHARACTERS:] or f"exit code {done.code}"
        raise HaplaneError(f"{words[0]} failed", where=shlex.join(words), why=why)
    return stdout


@contextmanager
def exclusive(path: Path, *, seconds: float, what: str) -> Iterator[None]:
    """Hold a file lock; wait up to ``seconds`` for another holder."""
    make_private(path.parent)
    with path.open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(taken, seconds, f"{what}, which another run is busy with")
        yield
