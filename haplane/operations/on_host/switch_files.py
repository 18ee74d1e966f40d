"""Runs on a host, with nothing but Python's standard library: puts staged files in their places, and back.

    switch_files.py switch NEW OLD PATH...   NEW/PATH takes the place of PATH, which is kept as OLD/PATH
    switch_files.py back NEW OLD PATH...     OLD/PATH, where there is one, takes its place again

NEW and OLD are directories. Each file takes its place whole, by a rename, when its content is on the disk; one whose
content is there already is left alone, so that a second run never keeps a new file as the old one. The digests that
receive.py recorded go with the files: the next look does not hash them again.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import json
import os
import shutil
import sys
from typing import Any

STAMPS = "/var/lib/haplane/stamps.json"


def main() -> None:
    """Carry out one of the verbs."""
    verb, new, old, *paths = sys.argv[1:]
    with open(STAMPS + ".lock", "w", encoding="utf-8") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        stamps = known()
        for path in paths:
            if verb == "switch":
                take_place(new + path, path, stamps, kept=old + path)
            elif os.path.exists(old + path):
                take_place(old + path, path, stamps)
        record(stamps)


def record(stamps: dict[str, Any]) -> None:
    """Without room for it the old record stays, which fits none of the files that changed: they are hashed again."""
    try:
        with open(STAMPS + ".new", "w", encoding="utf-8") as file:
            json.dump(stamps, file)
        os.replace(STAMPS + ".new", STAMPS)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(STAMPS + ".new")
        sys.stderr.write(f"{STAMPS}: {error.strerror}\n")


def take_place(source: str, path: str, stamps: dict[str, Any], kept: str | None = None) -> None:
    """``source`` becomes ``path`` and stays where it is; what ``path`` was becomes ``kept``."""
    if os.path.exists(path) and filecmp.cmp(source, path, shallow=False):
        return
    if kept is not None and os.path.exists(path):
        link(path, kept, stamps)
    link(source, path, stamps)


def link(source: str, target: str, stamps: dict[str, Any]) -> None:
    """The same file under another name where it was recorded, which a program is; else, or elsewhere, a copy.

    Configuration is copied: the end of a hard link would change the time by which one sees who has not read it yet.
    """
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = target + ".haplane-new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    recorded = stamps.get(source)
    try:
        if not isinstance(recorded, dict) or not linked(source, temporary):
            shutil.copy2(source, temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        sys.exit(f"{target}: {error.strerror}")
    if isinstance(recorded, dict):
        status = os.stat(temporary)
        stamps[target] = recorded | {"seen": [status.st_size, status.st_mtime_ns, status.st_ino]}
    os.replace(temporary, target)


def linked(source: str, target: str) -> bool:
    """Whether it could be given another name: not on another file system."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def known() -> dict[str, Any]:
    """What receive.py recorded; nothing when it cannot be read."""
    with contextlib.suppress(OSError, ValueError), open(STAMPS, encoding="utf-8") as file:
        found = json.load(file)
        return found if isinstance(found, dict) else {}
    return {}


if __name__ == "__main__":
    main()
