"""A run of haplane beside the test: a process of its own that holds the lock and does what it is told."""

from __future__ import annotations

import json
import pickle
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from haplane.config.model import Inventory

CONTROLLER = Path(__file__).parent / "remote" / "controller.py"


class Controller:
    """``do`` and ``says``: the lines that controller.py reads and writes."""

    def __init__(self, inventory: Inventory, directory: Path) -> None:
        pickled = directory / "inventory.pickle"
        pickled.write_bytes(pickle.dumps(inventory))
        self.process = subprocess.Popen(
            [sys.executable, CONTROLLER, pickled], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def do(self, line: str) -> None:
        pipe = cast(IO[bytes], self.process.stdin)
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def says(self, seconds: float = 20) -> str:
        pipe = cast(IO[bytes], self.process.stdout)
        assert select.select([pipe], [], [], seconds)[0], "the controller says nothing"
        return str(json.loads(pipe.readline()))

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
