"""Runs on a host: prints ``{path: [sha256, mode]}`` of those files that can be read, from a JSON list of paths.

python3 -I -c THIS PATHS
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys

found = {}
for path in json.loads(sys.argv[1]):
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        with open(path, "rb") as file:
            found[path] = [hashlib.sha256(file.read()).hexdigest(), mode]
sys.stdout.write(json.dumps(found) + "\n")
