"""From fresh hosts to three Ready nodes: the reference script and `haplane up`, in turn on the same lab.

`haplane up` once more has nothing to change: its time is measured in the same rounds.

    .venv/bin/python benchmarks/bootstrap.py [--rounds 5] [--json FILE]

Each run gets hosts that did not exist before. The script's time ends when all nodes are Ready; haplane's is the whole
command, from its start to its exit, verification included. Seconds differ between machines: the ratio is what counts.
CPU seconds are those of the whole machine meanwhile, its hosts' included; by its cores they are the limit of a run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import reference_tree
from cpu import Used, busy_now, used_since
from machine import HAPLANE, INVENTORY, alone, haplane

from haplane.bundle.manifest import Manifest, default_directory
from haplane.config.load import load_inventory
from haplane.desired.manifests import cluster_manifest

SCRIPT = Path(__file__).parent / "bash_script.sh"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path, help="also write every measurement here")
    chosen = options.parse_args()
    inventory = load_inventory(INVENTORY)
    bundle = Path(inventory.cluster.bundle or default_directory(inventory.cluster.kubernetes_version))
    measured: dict[str, list[Used]] = {"script": [], "haplane": [], "again": []}
    with tempfile.TemporaryDirectory(prefix="haplane-bench-") as scratch, alone():
        tree, flannel = Path(scratch) / "tree", Path(scratch) / "flannel.yaml"
        manifest = reference_tree.make(bundle, tree)
        flannel.write_text(flannel_manifest(inventory, manifest))
        try:
            for number in range(1, chosen.rounds + 1):
                measured["script"].append(script(inventory, manifest, tree, flannel))
                fresh_lab()
                measured["haplane"].append(up())
                measured["again"].append(up(says="Nothing to change"))
                print(f"round {number}: " + ", ".join(f"{name} {runs[-1]}" for name, runs in measured.items()))
        finally:
            haplane("lab", "down", INVENTORY)
    report(measured, chosen.json)


def report(measured: dict[str, list[Used]], target: Path | None) -> None:
    medians = {name: median(runs) for name, runs in measured.items()}
    for name, runs in measured.items():
        print(f"{name:8} median {medians[name]}   of {', '.join(f'{run.wall:.1f}' for run in runs)} s")
    ratios = {name: medians[name].wall / medians["script"].wall for name in ("haplane", "again")}
    print(
        f"haplane takes {ratios['haplane']:.2f} of the script's time, {ratios['again']:.3f} to find nothing to do; "
        f"{medians['haplane'].wall / medians['haplane'].limit:.2f} of the limit of {medians['haplane'].cores} cores"
    )
    if target:
        document = {
            "seconds": {name: [run.wall for run in runs] for name, runs in measured.items()},
            "cpu_seconds": {name: [run.cpu for run in runs] for name, runs in measured.items()},
            "medians": {name: run.wall for name, run in medians.items()},
            "limits": {name: run.limit for name, run in medians.items()},
            "ratio": ratios["haplane"],
            "again": ratios["again"],
        }
        target.write_text(json.dumps(document, indent=2) + "\n")


def median(runs: list[Used]) -> Used:
    """Of each of the figures by itself."""
    wall, cpu = (statistics.median(figures) for figures in ([run.wall for run in runs], [run.cpu for run in runs]))
    return Used(wall, cpu, runs[0].cores)


def fresh_lab() -> None:
    for verb in ("down", "up"):
        haplane("lab", verb, INVENTORY)


def script(inventory, manifest: Manifest, tree: Path, flannel: Path) -> Used:
    fresh_lab()
    with tempfile.TemporaryDirectory(prefix="haplane-bench-") as work:
        environment = {
            **os.environ,
            "KEY": inventory.masters[0].ssh.key,
            "TREE": str(tree),
            "FLANNEL": str(flannel),
            "WORK": work,
            "NETWORK": str(inventory.cluster.lab.network.network_address).rpartition(".")[0],
            "VERSION": manifest.kubernetes_version,
            "PAUSE": next(image.reference for image in manifest.images if "/pause:" in image.reference),
        }
        busy = busy_now()
        done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)
    laps = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if line)
    if done.returncode != 0 or "nodes-ready" not in laps:
        sys.exit(f"the reference script failed:\n{done.stdout}\n{done.stderr}")
    print("  script: " + ", ".join(f"{lap} {seconds}" for lap, seconds in laps.items()), flush=True)
    return used_since(busy, float(laps["nodes-ready"]))


def up(says: str = "") -> Used:
    busy, began = busy_now(), time.monotonic()
    done = subprocess.run([*HAPLANE, "up", "--yes", INVENTORY], capture_output=True, text=True, check=False)
    used = used_since(busy, time.monotonic() - began)
    if done.returncode != 0:
        sys.exit(f"haplane up failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    if says not in done.stdout:
        sys.exit(f"haplane up did not say {says!r}:\n{done.stdout}\n{done.stderr}")
    return used


def flannel_manifest(inventory, manifest: Manifest) -> str:
    """The same manifest as haplane's, so that both start the same pods."""
    return cluster_manifest(inventory, manifest)


if __name__ == "__main__":
    main()
