"""`make soak-safe`: every fault at every boundary of `haplane up`, and inside its long phases, on real masters.

    PYTHONPATH=tests:benchmarks .venv/bin/python tests/soak_safe.py [OPTIONS]

Options: --minutes 55, --only WORDS, --any-commit. Resumable: a case that has a row of this commit (one that
completed, of any, with --any-commit) is not run again. The uninterrupted one is measured every few cases, because
machines become slower and faster, and a case is compared with the two next to it. One that took more than 1.2 of
them is run up to three times more, each beside an uninterrupted one: its ratio is the median of those pairs. Rows are
kept in soak/safe.jsonl, and the whole is one line of docs/soak.md. The lab tests marked `soak` that concern `up` come
first, once for each commit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from interruptions import FAULTS, ROOT, Cluster, Moment, Outcome, Run, haplane, interrupt, write_inventory
from machine import alone
from soak_table import Rows, commit, write_line

NUMBER = 13
TABLE, UNINTERRUPTED = Rows("safe"), Rows("safe-uninterrupted")
EVERY = 6
"""How many cases share an uninterrupted run, which comes before them."""
PAIRS = 3
"""How many a doubtful case is measured in at most: two on one side of the limit decide."""
LIMIT = 1.2
BOOTSTRAP = (
    Moment("up: Push binaries and images"),
    Moment("up: Push binaries and images", 1.5),
    Moment("up: Prepare hosts"),
    Moment("up: Start load balancers"),
    Moment("up: Start the container runtime"),
    Moment("up: Form the etcd cluster"),
    Moment("Start etcd members together", 0.3),
    Moment("Wait for quorum"),
    Moment("up: Run kubeadm's phases"),
    Moment("Run kubeadm's phases", 2),
    Moment("up: Apply cluster-wide objects"),
    Moment("Apply cluster-wide objects", 1.5),
    Moment("up: Remove super-admin.conf"),
    Moment("up: Label and taint masters"),
    Moment("up: Finish pushing images"),
    Moment("up: Make a join command"),
    Moment("Run kubeadm's phases", 6),
    Moment("up: Push binaries and images", 5),
)
CHANGE = (
    Moment("up: Restart control planes"),
    Moment("Restart the control plane", 1),
    Moment("Undrain the server apiservers/m1"),
    Moment("Take apiservers/m2 out of service"),
)
STORIES = "the stories marked soak"
LONG = (
    "Push binaries and images + 1.5",
    "Start etcd members",
    "Run kubeadm's phases + 2",
    "Apply cluster-wide objects",
)


@dataclass(frozen=True)
class Case:
    """``story``: the first run on fresh hosts, or a changed setting that rolls through the masters."""

    story: str
    fault: str
    moment: Moment

    def __str__(self) -> str:
        return f"{self.story}: {self.fault} at {self.moment}"


def cases() -> Iterator[Case]:
    """The nastiest first."""
    for fault in FAULTS:
        for moment in BOOTSTRAP:
            if any(words in str(moment) for words in LONG):
                yield Case("first run", fault, moment)
    for fault in FAULTS[:3]:
        for moment in CHANGE:
            yield Case("changed setting", fault, moment)
    for moment in BOOTSTRAP:
        for fault in FAULTS[:3]:
            if not any(words in str(moment) for words in LONG):
                yield Case("first run", fault, moment)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=55)
    options.add_argument("--only", default="", help="cases that contain these words")
    options.add_argument("--any-commit", action="store_true")
    chosen = options.parse_args()
    deadline = time.monotonic() + 60 * chosen.minutes
    if not chosen.only and not stories(any_commit=chosen.any_commit):
        sys.exit("a story failed: the faults wait until it does not")
    known = {row["case"] for row in TABLE.rows() if counts(row, any_commit=chosen.any_commit)}
    left = [case for case in cases() if str(case) not in known and chosen.only in str(case)]
    print(f"{len(left)} cases to run", flush=True)
    with tempfile.TemporaryDirectory(prefix="haplane-soak-") as scratch, alone():
        files = [write_inventory(Path(scratch) / f"{n}.py", NUMBER, toleration=60 + n) for n in range(2)]
        try:
            stage = Stage(Cluster(files[0]), files)
            run(left, stage, deadline, paired=False)
            run(doubtful(chosen.only), stage, deadline, paired=True)
        finally:
            write_table()
            haplane("lab", "down", files[0])
    if any(row["outcome"] != "completed" for row in TABLE.rows() if row["commit"] == commit()):
        sys.exit(1)


def counts(row: dict, *, any_commit: bool) -> bool:
    """Whether what a row tells need not be seen again."""
    return row["commit"] == commit() or (any_commit and row["outcome"] == "completed")


def stories(*, any_commit: bool) -> bool:
    """The lab tests that are too long for `make test`, once for each commit."""
    if any(row["case"] == STORIES and counts(row, any_commit=any_commit) for row in TABLE.rows()):
        return True
    files = [ROOT / "tests/drills/lab" / f"test_{name}.py" for name in ("drift", "rolling_change", "interrupted")]
    began = time.monotonic()
    code = subprocess.run([sys.executable, "-m", "pytest", "-m", "soak", *files], cwd=ROOT, check=False).returncode
    if code == 0:
        took = round(time.monotonic() - began, 1)
        TABLE.keep({"case": STORIES, "story": STORIES, "outcome": "completed", "interrupted_seconds": took})
    return code == 0


def doubtful(words: str) -> Iterator[Case]:
    """Cases above the limit by the uninterrupted runs of other minutes, until each has its pairs: in turns.

    Power is none of them: how long a machine takes to start is not haplane's.
    """
    code = commit()
    chosen = [case for case in cases() if words in str(case) and case.fault != "power"]
    for times in range(PAIRS):
        for case in chosen:
            found = of_case(str(case), code)
            above = (against_others(case.story, code, found) or 0) > LIMIT
            if above and len(pairs(found)) == times and not decided(pairs(found)):
                yield case


def decided(ratios: list[float]) -> bool:
    """Whether a third would leave the median on the same side."""
    above = sum(one > LIMIT for one in ratios)
    return max(above, len(ratios) - above) > PAIRS / 2


class Stage:
    """The hosts, made ready for one run more. ``turn`` is the inventory that the cluster is as."""

    def __init__(self, cluster: Cluster, inventories: list[Path]) -> None:
        self.cluster, self.inventories = cluster, inventories
        self.turn = 0

    def ready_for(self, story: str) -> Path:
        """The inventory to run: on fresh hosts, or another one than the cluster is as."""
        if story == "first run":
            self.cluster.fresh()
            self.turn = 0
        else:
            if not healthy(self.inventories[self.turn]):
                self.cluster.fresh()
                uninterrupted(self.inventories[self.turn])
            forget_restarts(self.cluster)
            self.turn = 1 - self.turn
        return self.inventories[self.turn]


def run(left: Iterable[Case], stage: Stage, deadline: float, *, paired: bool) -> None:
    """Each once; ``paired``: beside an uninterrupted one of its own, else near one that it shares."""
    done = dict.fromkeys(("first run", "changed setting"), 0)
    for case in left:
        if time.monotonic() > deadline:
            print("this part is over: run it again for the rest", flush=True)
            return
        if not paired and done[case.story] % EVERY == 0:
            measure(case.story, stage)
        done[case.story] += 1
        beside = uninterrupted(stage.ready_for(case.story)) if paired else None
        note(case, interrupt(stage.cluster, case.fault, case.moment, stage.ready_for(case.story)), beside)


def measure(story: str, stage: Stage) -> None:
    """How long it takes when nothing happens."""
    seconds = round(uninterrupted(stage.ready_for(story)), 1)
    known = len(uninterrupted_runs(story, commit()))
    UNINTERRUPTED.keep({"case": f"{commit()} {story} {known + 1}", "story": story, "seconds": seconds})
    print(f"{story}, uninterrupted: {seconds:.1f} s", flush=True)


def forget_restarts(cluster: Cluster) -> None:
    """Kubelets that start anew do not know how often their pods were restarted, and do not back off from it."""
    cluster.on_masters("systemctl restart kubelet")


def healthy(inventory: Path) -> bool:
    return bool(json.loads(haplane("status", inventory, "--json", code=None) or "{}").get("healthy"))


def uninterrupted(inventory: Path) -> float:
    ended = Run(inventory).end()
    if ended.code != 0:
        sys.exit(f"without any interruption: exit {ended.code}\n{ended.said}")
    return ended.seconds


def uninterrupted_runs(story: str, of_commit: str) -> list[dict]:
    """All that were measured with that code."""
    return [row for row in UNINTERRUPTED.rows() if (row["story"], row["commit"]) == (story, of_commit)]


def note(case: Case, found: Outcome, beside: float | None) -> None:
    """``beside``: seconds of the uninterrupted run just before."""
    row = {"case": str(case), "story": case.story, "fault": case.fault, "moment": str(case.moment)}
    row |= {"outcome": found.problem or "completed", "struck_seconds": round(found.struck_seconds, 1)}
    row |= {
        "interrupted_seconds": round(found.interrupted_seconds, 1),
        "rerun_seconds": round(found.rerun_seconds, 1),
    }
    if beside:
        row["beside_seconds"] = round(beside, 1)
    TABLE.keep(row)
    print(f"{case}: {row['outcome'][:2000]} ({ratio({**row, 'commit': commit()})})", flush=True)


def ratio(row: dict) -> float | None:
    """The interrupted run and the one that completed it, over the uninterrupted one: a median, all of that commit."""
    found = of_case(row["case"], row["commit"])
    if beside := pairs(found):
        return round(statistics.median(beside), 2)
    return against_others(row["story"], row["commit"], found)


def pairs(found: list[dict]) -> list[float]:
    """Ratios to the uninterrupted run of the same minutes."""
    return [taken(row) / row["beside_seconds"] for row in found if row.get("beside_seconds")]


def against_others(story: str, of_commit: str, found: list[dict]) -> float | None:
    """Of the runs that have none beside them: the ratio to the two uninterrupted runs that are nearest in time."""
    whole = uninterrupted_runs(story, of_commit)
    single = [row for row in found if not row.get("beside_seconds")]
    if not whole or not single:
        return None
    ratios = []
    for row in single:
        near = sorted(whole, key=lambda other: abs(moment_of(other) - moment_of(row)))[:2]
        ratios.append(taken(row) / statistics.mean(other["seconds"] for other in near))
    return round(statistics.median(ratios), 2)


def moment_of(row: dict) -> datetime:
    return datetime.strptime(row["date"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def of_case(case: str, of_commit: str) -> list[dict]:
    """Each time that this case was run and completed."""
    same = [row for row in TABLE.kept() if (row["case"], row["commit"]) == (case, of_commit)]
    return [row for row in same if row.get("rerun_seconds")]


def taken(row: dict) -> float:
    """Seconds of the interrupted run and of the one that completed it."""
    return row["interrupted_seconds"] + row["rerun_seconds"]


def write_table() -> None:
    found = [{**row, "ratio": ratio(row)} for row in TABLE.rows() if row["commit"] == commit()]
    completed = [row for row in found if row["outcome"] == "completed"]
    left = {str(case) for case in cases()} - {row["case"] for row in found}
    ratios = []
    for fault in FAULTS:
        if seen := [row["ratio"] for row in completed if row.get("fault") == fault and row["ratio"]]:
            ratios.append(f"{fault} {statistics.median(seen):.2f} (worst {max(seen):.2f})")
    outcome = f"{len(completed)} of {len(found)} completed, {len(left)} not run"
    write_line("`make soak-safe`", outcome, f"ratio to the uninterrupted run: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
