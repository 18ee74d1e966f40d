"""What a snapshot costs: etcd's puts while one is made, its time, and the agent's memory.

    .venv/bin/python benchmarks/snapshots.py [--megabytes 1024] [--rounds 3]

Three etcd members, with fsync, and an S3 server over TLS on this machine. Every round: quiet, then a bare
`etcdctl snapshot save` with a plain upload of its file, then the agent's whole pipeline; the order of the last two
changes from round to round. All the while puts of 1 KiB go to every member in turn, 100 a second, timed
from the moment they were due. Half of every stored value is random.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from haplane.agent.settings import S3Settings  # noqa: E402
from tests.agent.machinery import Cluster, Server, rclone, self_signed, unpack_programs  # noqa: E402
from tests.agent.members import Member, Members, unpack_agent  # noqa: E402

PUTS_PER_SECOND = 100
VALUE_BYTES = 256 << 10
SETTLE_SECONDS = 5
QUIET_SECONDS = 15
ETCD_NICE = -10
"""As etcd's unit has it; the puts are of the same priority, or they would wait for themselves."""


Timed = tuple[float, float]
"""When a put was due, in seconds before the end, and its milliseconds."""


@dataclass
class Puts:
    """Latencies in milliseconds by what was going on."""

    found: dict[str, list[float]] = field(default_factory=lambda: {"quiet": [], "bare save": [], "pipeline": []})

    def p99(self, kind: str) -> float:
        return statistics.quantiles(self.found[kind], n=100)[98]

    def by_step(self, timed: list[Timed], seconds: dict[str, float]) -> None:
        """Where in the pipeline they were: its steps follow each other, up to its end."""
        until = -sum(seconds.values())
        for step in ("read_revision", "save", "verify_and_pack", "place", "upload", "read_back"):
            since, until = until, until + seconds[step]
            self.found.setdefault(f" {step}", []).extend(ms for when, ms in timed if since <= when < until)


@dataclass
class Seconds:
    save: list[float] = field(default_factory=list)
    upload: list[float] = field(default_factory=list)
    pipeline: list[float] = field(default_factory=list)
    anonymous_kib: int = 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--megabytes", type=int, default=1024)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    os.nice(ETCD_NICE)
    with tempfile.TemporaryDirectory() as place, everything(Path(place)) as (cluster, member, server):
        fill(cluster, chosen.megabytes << 20)
        puts, seconds = Puts(), Seconds()
        for number in range(chosen.rounds):
            measure(puts, "quiet", cluster, lambda: time.sleep(QUIET_SECONDS))
            turns: list[Callable[[], None]] = [
                lambda: bare(cluster, member, server, puts, seconds),
                lambda: ours(cluster, member, puts, seconds),
            ]
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn()
        conclude(puts, seconds, (member.directory / member.ids()[-1] / "manifest.json").read_bytes())


@contextmanager
def everything(place: Path) -> Iterator[tuple[Cluster, Member, Server]]:
    memory = tempfile.TemporaryDirectory(dir="/dev/shm")  # the S3 server is not on etcd's disk
    for name in ("programs", "etcd", "tls", "agent", "members"):
        (place / name).mkdir()
    unpack_programs(place / "programs")
    (place / "credentials").write_text("[default]\naws_access_key_id = access\naws_secret_access_key = secret\n")
    tls = self_signed(place / "tls")
    access = S3Settings("backups", ca_file=str(tls[0]), credentials_file=str(place / "credentials"))
    cluster = Cluster(place / "programs", place / "etcd", ("--quota-backend-bytes=8000000000", "--log-level=error"))
    cluster.start()
    try:
        with rclone(Path(memory.name), tls, access) as server:
            members = Members(place / "members", cluster, unpack_agent(place / "agent"), "bench")
            follower = next(name for name in cluster.ports if name != cluster.leader())
            yield cluster, members.make(follower, s3=server.settings), server
    finally:
        cluster.stop()
        memory.cleanup()


def fill(cluster: Cluster, size: int) -> None:
    """Through etcd's HTTP gateway, four at a time."""
    began = time.monotonic()

    def put(number: int) -> None:
        value = os.urandom(VALUE_BYTES // 2) + bytes(VALUE_BYTES // 2)
        Connection(cluster.url("m1")).put(f"/fill/{number}", value)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(size // VALUE_BYTES)))
    print(f"{size >> 20} MiB stored in {time.monotonic() - began:.0f} s", flush=True)


class Connection:
    def __init__(self, url: str) -> None:
        self._link = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)

    def put(self, key: str, value: bytes) -> None:
        text = json.dumps({"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value).decode()})
        self._link.request("POST", "/v3/kv/put", text)
        answer = self._link.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"etcd answered {answer.status} to a put")


def measure(puts: Puts, kind: str, cluster: Cluster, run: Callable[[], None]) -> tuple[float, list[Timed]]:
    """Put at a steady rate while it runs; how many seconds it ran, and every put."""
    time.sleep(SETTLE_SECONDS)
    over = threading.Event()
    workers = 12

    def work(number: int) -> list[Timed]:
        link = Connection(cluster.url(("m1", "m2", "m3")[number % 3]))
        found, due = [], time.monotonic() + number / PUTS_PER_SECOND
        while not over.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            link.put(f"/puts/{number}", os.urandom(512) + bytes(512))
            found.append((due, (time.monotonic() - due) * 1000))
            due += workers / PUTS_PER_SECOND
        return found

    with ThreadPoolExecutor(workers) as pool:
        working = [pool.submit(work, number) for number in range(workers)]
        began = time.monotonic()
        try:
            run()
        finally:
            ended = time.monotonic()
            over.set()
        timed = [(due - ended, ms) for one in working for due, ms in one.result()]
    puts.found[kind] += [ms for _, ms in timed]
    return ended - began, timed


def bare(cluster: Cluster, member: Member, server: Server, puts: Puts, seconds: Seconds) -> None:
    target = member.root / "bare.db"
    endpoint = f"--endpoints={cluster.url(member.settings.member)}"
    command = ["nice", "-n", str(-ETCD_NICE), cluster.programs / "etcdctl", endpoint, "snapshot", "save", target]

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True)

    seconds.save.append(measure(puts, "bare save", cluster, run)[0])
    began = time.monotonic()
    server.s3.upload_file(str(target), "backups", "bare.db")
    seconds.upload.append(time.monotonic() - began)
    target.unlink()
    server.s3.delete_object(Bucket="backups", Key="bare.db")
    print(f"bare save {seconds.save[-1]:.1f} s, plain upload {seconds.upload[-1]:.1f} s", flush=True)


def ours(cluster: Cluster, member: Member, puts: Puts, seconds: Seconds) -> None:
    told: dict[str, float] = {}

    def run() -> None:
        agent = member.start("take")
        while agent.poll() is None:
            seconds.anonymous_kib = max(seconds.anonymous_kib, anonymous_kib(agent.pid))
            time.sleep(0.1)
        output, error = agent.communicate()
        if agent.returncode != 0:
            sys.exit(f"the agent failed: {error}")
        told.update(json.loads(output)["seconds"])

    took, timed = measure(puts, "pipeline", cluster, run)
    seconds.pipeline.append(took)
    puts.by_step(timed, told)
    print(f"pipeline {took:.1f} s:", *(f"{step} {told[step]:.1f}" for step in told), flush=True)
    member.remote().delete(member.ids()[-1])


def anonymous_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def conclude(puts: Puts, seconds: Seconds, manifest: bytes) -> None:
    told = json.loads(manifest)
    print(f"\ndatabase {told['database_bytes'] >> 20} MiB, payload {told['payload_bytes'] >> 20} MiB")
    for kind, found in puts.found.items():
        if len(found) > 1:
            p50, p99 = statistics.median(found), puts.p99(kind)
            print(f"puts, {kind:16}  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  of {len(found)}")
    during, alone, quiet = (puts.p99(kind) for kind in ("pipeline", "bare save", "quiet"))
    print(f"p99 pipeline / bare save: {during / alone:.2f} (limit 1.2); / quiet: {during / quiet:.2f}")
    both = statistics.median(seconds.save) + statistics.median(seconds.upload)
    pipeline = statistics.median(seconds.pipeline)
    print(f"bare save + plain upload {both:.1f} s, pipeline {pipeline:.1f} s: {pipeline / both:.2f} (limit 2.0)")
    print(f"agent's anonymous memory at most {seconds.anonymous_kib / 1024:.0f} MiB (limit 95)")


if __name__ == "__main__":
    main()
