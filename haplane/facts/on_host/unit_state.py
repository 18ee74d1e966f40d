"""Runs on a host: prints one systemd unit's properties, a line each, and whether what it runs is out of date.

    python3 -I -c THIS UNIT FILE...

``Outdated`` is ``yes`` when one of the files changed after the service's last start, reload or stop, or the program
that it runs is no longer the one on the disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestampMonotonic,MainPID"

unit, *files = sys.argv[1:]
command = ["systemctl", "show", f"--property={PROPERTIES}", unit]
shown = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
values = dict(line.split("=", 1) for line in shown.splitlines())
since = time.time() - time.monotonic() + int(values["StateChangeTimestampMonotonic"]) / 1e6
program = "/proc/" + values.get("MainPID", "0") + "/exe"
replaced = os.path.islink(program) and os.readlink(program).endswith(" (deleted)")
newer = any(os.path.exists(file) and os.stat(file).st_ctime > since for file in files)
values["Outdated"] = "yes" if newer or replaced else "no"
for name, value in values.items():
    sys.stdout.write(f"{name}={value}\n")
