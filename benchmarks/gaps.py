"""The longest gaps that clients of the endpoint see: every master and load balancer loses its power, several times.

    .venv/bin/python benchmarks/gaps.py [--rounds 5] [--record FILE]

Runs `haplane drill` on a cluster made for it; with a record, a run that was interrupted is carried on. A gap lasts
from the send time of the first request not answered 2xx within 1 s to the next success; 20 reads and 20 writes a
second, each on a new connection. One more round looks from inside a pod besides, which costs CPU and so is not among
the gaps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import HAPLANE, INVENTORY, alone, haplane

from haplane.config.load import load_inventory
from haplane.config.model import Inventory
from haplane.errors import ExitCode
from haplane.waiting import wait_until

HEALTHY_SECONDS = 120


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--record", type=Path, default=Path(os.devnull), help="a line of JSON for each drill")
    chosen = options.parse_args()
    reports = [json.loads(line) for line in chosen.record.read_text().splitlines()] if chosen.record.exists() else []
    with alone(), chosen.record.open("a") as record:
        haplane("lab", "up", INVENTORY)
        haplane("up", "--yes", INVENTORY)
        for report in watch(load_inventory(INVENTORY), chosen.rounds, done=len(reports)):
            print(json.dumps(report), file=record, flush=True)
            reports.append(report)
        haplane("lab", "down", INVENTORY)
    conclude([report for report in reports if report["round"] <= chosen.rounds])
    look_inside([report for report in reports if report["round"] > chosen.rounds])


def watch(inventory: Inventory, rounds: int, done: int) -> Iterator[dict[str, Any]]:
    """Every target once a round; one round more also looks from inside a pod. The first ``done`` are known."""
    everything = [(number, *target) for number in range(1, rounds + 2) for target in targets(inventory)]
    for number, story, host in everything[done:]:
        report = drill(story, host, in_cluster=number > rounds)
        show(number, report)
        yield {"round": number, **report}


def targets(inventory: Inventory) -> list[tuple[str, str | None]]:
    """Every master, whoever leads etcd, and every load balancer, the holder of the address among them."""
    masters: list[tuple[str, str | None]] = [("kill-master", host.name) for host in inventory.masters]
    balancers = [("kill-load-balancer", host.name) for host in inventory.load_balancers]
    return [*masters, ("kill-etcd-leader", None), *balancers, ("kill-load-balancer", None)]


def drill(story: str, host: str | None, *, in_cluster: bool) -> dict[str, Any]:
    """One report. A drill refuses a cluster that the fault before it still shakes: then it is asked again."""
    words = [*HAPLANE, "drill", story, "--yes", "--json", *(["--in-cluster"] if in_cluster else [])]

    def carried_out() -> subprocess.CompletedProcess[str] | None:
        done = subprocess.run(
            [*words, INVENTORY, *([host] if host else [])], capture_output=True, text=True, check=False
        )
        return None if done.returncode == ExitCode.REFUSED else done

    done = wait_until(carried_out, HEALTHY_SECONDS, "the cluster healthy after the fault before", every=5)
    if done.returncode not in (ExitCode.DONE, ExitCode.INCOMPLETE):
        sys.exit(f"{story} {host or ''} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout)


def show(number: int, report: dict[str, Any]) -> None:
    reads, writes = report["reads"], report["writes"]
    back = max(report["reads_at_return"]["gap_seconds"], report["writes_at_return"]["gap_seconds"])
    print(
        f"round {number}  {report['drill']:18} {report['host']:4} reads {reads['gap_seconds']:5.2f} s"
        f"  writes {writes['gap_seconds']:5.2f} s  on return {back:5.2f} s"
        f"  lost {len(report['lost_writes'])} of {report['acknowledged_writes']}  ({report['role']})",
        flush=True,
    )


def conclude(reports: list[dict[str, Any]]) -> None:
    by_role: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for report in reports:
        by_role[report["role"]].append(report)
    print("\nworst of all rounds")
    for role, found in sorted(by_role.items()):
        reads = max(report["reads"]["gap_seconds"] for report in found)
        writes = max(report["writes"]["gap_seconds"] for report in found)
        print(f"  {role:50} {len(found):3} times  reads {reads:5.2f} s  writes {writes:5.2f} s")
    lost = sum(len(report["lost_writes"]) for report in reports)
    print(f"  acknowledged writes lost: {lost} of {sum(report['acknowledged_writes'] for report in reports)}")


def look_inside(reports: list[dict[str, Any]]) -> None:
    print("\nfrom a pod on a surviving master, one round")
    for report in reports:
        for kind, seen in report["in_cluster"].items():
            print(
                f"  {report['drill']:18} {report['host']:4} {kind:8} longest gap {seen['gap_seconds']:5.2f} s,"
                f" {seen['failed']} of {seen['requests']} failed over {seen['disturbed_seconds']:5.2f} s"
            )


if __name__ == "__main__":
    main()
