"""All three masters from one etcd snapshot: the documented steps in a bash script and `haplane restore`, in turn.

    .venv/bin/python benchmarks/restore.py [--rounds 3] [--gigabyte] [--json FILE]

Both get the same snapshot, here, of a cluster that runs. A time is from the start of the command until the API
answers ready through the endpoint again; the outage is the part of it in which it did not. With --gigabyte etcd holds
1 GB more, of values of 1 MB that are half random. haplane's own time includes trying the snapshot out before it
stops anything, which the script does not do; the whole command, with its checks afterwards, is told as well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import HAPLANE, INVENTORY, alone, haplane

from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.domain.progress import silent
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

HOSTS = over_ssh(silent)
SCRIPT = Path(__file__).parent / "restore_script.sh"
BUMP = 1_000_000_000
ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt --command-timeout=60s "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
SAVE = f"{ETCDCTL} snapshot save /root/bench.db >&2; cat /root/bench.db; rm /root/bench.db"
FILL = f"""
set -eu
head -c 500000 /dev/zero > /root/zeros
for n in $(seq 1000); do
    {{ head -c 500000 /dev/urandom | tr '\\0' x; cat /root/zeros; }} | {ETCDCTL} put bench/$n >/dev/null
done
rm /root/zeros
"""


@dataclass
class Watch:
    """Whether the endpoint is ready, looked at all the time by a thread. Moments of the monotonic clock."""

    inventory: Inventory
    seen: list[tuple[float, bool]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self) -> None:
        while not self.over.wait(0.05):
            ready = HOSTS.endpoint_is_ready(self.inventory)
            self.seen.append((time.monotonic(), ready))

    def away(self) -> tuple[float, float]:
        """When it first was not ready, and when it was for good."""
        self.over.set()
        self.thread.join()
        silent = [moment for moment, ready in self.seen if not ready]
        if not silent or not self.seen[-1][1]:
            sys.exit("the endpoint was never away, or is still")
        return silent[0], next(moment for moment, ready in self.seen if ready and moment > silent[-1])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--gigabyte", action="store_true", help="with 1 GB more in etcd")
    options.add_argument("--json", type=Path, help="also write every measurement here")
    chosen = options.parse_args()
    inventory = load_inventory(INVENTORY)
    measured: dict[str, list[dict[str, float]]] = {"script": [], "haplane": []}
    with tempfile.TemporaryDirectory(prefix="haplane-bench-") as scratch, alone():
        haplane("lab", "up", INVENTORY)
        haplane("up", "--yes", INVENTORY)
        try:
            if chosen.gigabyte:
                HOSTS.fetch_output(inventory.masters[0], FILL, Path(scratch) / "said")
            for number in range(1, chosen.rounds + 1):
                for name, command in commands(inventory, Path(scratch)).items():
                    measured[name].append(timed(inventory, command, Path(scratch)))
                    print(f"round {number}: {name} {measured[name][-1]}", flush=True)
        finally:
            haplane("lab", "down", INVENTORY)
    report(measured, chosen.json)


def commands(inventory: Inventory, scratch: Path) -> dict[str, list[str]]:
    snapshot = str(scratch / "snapshot.db")
    words = ["restore", str(INVENTORY), "--file", snapshot, "--unsigned", "--accept-loss", "--yes", "--json"]
    return {"script": [str(SCRIPT)], "haplane": [*HAPLANE, *words, "--confirm", inventory.cluster.name]}


def healthy() -> bool:
    """Whether `haplane status` exits with 0."""
    return (
        subprocess.run([*HAPLANE, "status", INVENTORY, "--check"], capture_output=True, check=False).returncode == 0
    )


def timed(inventory: Inventory, command: list[str], scratch: Path) -> dict[str, float]:
    """A snapshot of now, restored; the cluster is whole before and after."""
    snapshot = scratch / "snapshot.db"
    HOSTS.fetch_output(inventory.masters[0], SAVE, snapshot)
    environment = {
        **os.environ,
        "KEY": str(Path(inventory.masters[0].ssh.key).expanduser()),
        "NETWORK": str(inventory.cluster.lab.network.network_address).rpartition(".")[0],
        "SNAPSHOT": str(snapshot),
        "BUMP": str(BUMP),
    }
    watch, began = Watch(inventory), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    ended = time.monotonic()
    if done.returncode not in (0, 6):
        sys.exit(f"{command[0]} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    wait_until(lambda: HOSTS.endpoint_is_ready(inventory), 120, "the endpoint is ready")
    time.sleep(0.5)
    silent, ready = watch.away()
    wait_until(healthy, 180, "healthy", every=1.0)
    return {
        "ready": round(ready - began, 1),
        "outage": round(ready - silent, 1),
        "command": round(ended - began, 1),
    }


def report(measured: dict[str, list[dict[str, float]]], target: Path | None) -> None:
    medians = {
        name: {what: statistics.median(run[what] for run in runs) for what in ("ready", "outage", "command")}
        for name, runs in measured.items()
    }
    for name, found in medians.items():
        print(f"{name:8} " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found.items()))
    ratios = {what: round(medians["haplane"][what] / medians["script"][what], 2) for what in ("ready", "outage")}
    print(f"haplane takes {ratios['ready']} of the script's time, its outage is {ratios['outage']} of the script's")
    if target:
        target.write_text(json.dumps({"runs": measured, "medians": medians, "ratios": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    main()
