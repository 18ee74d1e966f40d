"""Directories of this machine whose content others run as root: made private, and refused where they are not.

A bundle is programs for every host. Whoever can change a file of it, or put another directory in its place, is root
on the hosts with the next `haplane up`.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from haplane.errors import BadInput, Refused

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def state_directory() -> Path:
    """Where haplane keeps what it has to remember on this machine. Raises RuntimeError without a home directory."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "haplane"


def make_private(directory: Path) -> None:
    """Make it and the parents that it lacks, each for us alone (0700)."""
    absent = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(absent):
        path.mkdir(mode=0o700, exist_ok=True)


def refuse_shared(directory: Path) -> None:
    """Raise Refused when others than we and root can change the directory or take its place.

    Its parents count, by its own name and by the one that links lead to; in one that is sticky (as /tmp is) others
    cannot rename what is ours.
    """
    for path in dict.fromkeys((directory.absolute(), directory.resolve())):
        refuse_shared_files([path])
        for parent in path.parents:
            _refuse(parent, sticky_will_do=True)


def refuse_shared_files(paths: Iterable[Path]) -> None:
    """The same for these files and directories by themselves."""
    for path in paths:
        _refuse(path, sticky_will_do=False)


def refuse_everybodys(file: Path, what: str) -> None:
    """Raise BadInput where everybody can write to the file, or put another one in its place, also where a link leads.

    ``what`` names it, and what it is for. One of a group's, or of a colleague's, is the operator's choice.
    """
    real = file.resolve()
    for place in dict.fromkeys((file, *file.absolute().parents, *real.parents)):
        mode = place.stat().st_mode
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            raise BadInput(
                f"everybody on this machine can change {what}",
                where=str(place),
                why=f"its mode is {stat.S_IMODE(mode):04o}",
                next_step=f"check what is in it, then: `chmod o-w {shlex.quote(str(place))}`",
            )


def _refuse(path: Path, *, sticky_will_do: bool) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # whoever needs it says what is wrong with it
        return
    if status.st_uid not in (0, os.geteuid()):
        why, remedy = f"it belongs to the user with the id {status.st_uid}", f"chown -R {os.geteuid()} {path}"
    elif status.st_mode & OTHERS_WRITE and not (sticky_will_do and status.st_mode & stat.S_ISVTX):
        why, remedy = f"its mode is {stat.S_IMODE(status.st_mode):04o}: others can write to it", f"chmod go-w {path}"
    else:
        return
    raise Refused(
        "what hosts run as root would be read from a place that others can change",
        where=str(path),
        why=why,
        next_step=f"check what is in it, then: `{remedy}`",
    )
