#!/usr/bin/python3 -I
"""Runs on an etcd member as ``run`` of the agent's archive, beside the package ``haplane``: starts the agent."""

import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - the host's
    sys.exit('{"error": "snapshots need Python 3.11 on this host", "exit_code": 4}')
# The directory itself, not the link to it: a newer agent may take the link while this one runs.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from haplane.agent.main import main

status = main(sys.argv[1:])
os._exit(status)  # not sys.exit: a thread may hang in a dead connection
