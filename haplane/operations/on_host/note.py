"""Runs on a host, with nothing but Python's standard library: keeps the digests of the files named as arguments.

What is kept of other files stays. The observer reports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys

MADE = "/var/lib/haplane/made.json"


def main() -> None:
    """Read what is kept, add, and put it back whole."""
    os.makedirs(os.path.dirname(MADE), exist_ok=True)
    kept = known()
    for path in filter(os.path.exists, sys.argv[1:]):
        with open(path, "rb") as file:
            kept[path] = hashlib.sha256(file.read()).hexdigest()
    with open(MADE + ".new", "w", encoding="utf-8") as file:
        json.dump(kept, file)
    os.replace(MADE + ".new", MADE)


def known() -> dict[str, str]:
    """What was kept before; nothing when it cannot be read."""
    try:
        with open(MADE, encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError):
        return {}


main()
