"""The lab of the benchmarks, and the machine to itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
INVENTORY = HERE / "inventory.py"
HAPLANE = [sys.executable, "-m", "haplane"]


def haplane(*words: str | Path) -> str:
    """What a command prints; its failure ends the benchmark with its words."""
    done = subprocess.run([*HAPLANE, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"haplane {' '.join(map(str, words))} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@contextmanager
def alone() -> Iterator[None]:
    """Hosts of other labs would share the CPU: they are switched off for as long as it lasts, and on again."""
    others = [(inventory, running(inventory)) for inventory in sorted((HERE.parent / "inventories").glob("lab*.py"))]
    others = [(inventory, hosts) for inventory, hosts in others if hosts]
    for inventory, hosts in others:
        print(f"switched off meanwhile: {', '.join(hosts)} of {inventory.name}", flush=True)
        haplane("lab", "kill", inventory, *hosts)
    try:
        yield
    finally:
        for inventory, hosts in others:
            haplane("lab", "start", inventory, *hosts)


def running(inventory: Path) -> list[str]:
    states = json.loads(haplane("lab", "status", inventory, "--json"))["hosts"]
    return [state["name"] for state in states if state["state"] in ("running", "cut")]
