"""A `haplane up` that is stopped at a chosen moment, and what must hold then and after running it again.

The moment is a line of the run's own progress, so nothing in haplane knows of tests.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.config.load import load_inventory
from haplane.lab import lifecycle
from haplane.remote.openssh import ssh_command
from haplane.streams import capture

ROOT = Path(__file__).parents[1]
HAPLANE = (sys.executable, "-m", "haplane")
LIMIT_SECONDS = 600
LOCKED = 5
INVENTORY = """
def _host(name, number):
    return name, {{"address": f"{network}.{{number}}", "ssh_hostname": f"{network}.{{number}}"}}

_ssh = {{
    "ssh_user": "root",
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([_host("m1", 21), _host("m2", 22), _host("m3", 23)], _ssh)
load_balancers = ([_host("lb1", 11)], _ssh)
cluster = {{
    "name": "{name}",
    "endpoint": "{network}.10:6443",
    "flannel_backend": "host-gw",
    "keepalived": {{"advert_seconds": 0.3}},
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "unreachable_toleration_seconds": {toleration},
    "lab": {{"network": "{network}.0/24", "gateway": "{network}.1", "bridge": "{bridge}"}},
}}
"""


def write_inventory(path: Path, number: int, *, toleration: int = 60) -> Path:
    """An inventory of a lab of its own: 3 masters and a load balancer in network 10.89.NUMBER."""
    network = f"10.89.{number}"
    bridge = f"haplane{number}"
    path.write_text(INVENTORY.format(network=network, bridge=bridge, name=f"safe{number}", toleration=toleration))
    return path


@dataclass(frozen=True)
class Moment:
    """``seconds`` after the first progress line that contains ``words``."""

    words: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.words if not self.seconds else f"{self.words} + {self.seconds:g} s"


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code (negative for a signal), everything it said, and its seconds."""

    code: int
    said: str
    seconds: float


def haplane(*words: str | Path, code: int | None = 0) -> str:
    done = subprocess.run(
        [*HAPLANE, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
    )
    if code is not None and done.returncode != code:
        told = f"haplane {' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise AssertionError(told)
    return done.stdout


class Run:
    """A `haplane up`, or another verb, under way, whose progress is listened to."""

    def __init__(self, inventory: Path, *verb: str) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so would this
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*HAPLANE, *(verb or ("up",)), "--yes", str(inventory)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[tuple[float, str]] = []
        self._news = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with self.process.stdout as output:
            for line in output:
                with self._news:
                    self.lines.append((time.monotonic(), line))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def heard(self, words: str) -> float | None:
        """When it first said so."""
        return next((moment for moment, line in self.lines if words in line), None)

    def wait_for(self, moment: Moment) -> bool:
        """Whether that moment came before the run ended."""
        deadline = time.monotonic() + LIMIT_SECONDS
        with self._news:
            while self.heard(moment.words) is None:
                if not self._listener.is_alive() or time.monotonic() > deadline:
                    return False
                self._news.wait(1)
        time.sleep(moment.seconds)
        return self.process.poll() is None

    def end(self, seconds: float = LIMIT_SECONDS) -> Ended:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = -999
        self._listener.join(10)
        return Ended(code, "".join(line for _, line in self.lines), time.monotonic() - self.began)


class Cluster:
    """The hosts of one lab inventory, as they are found and as they must be."""

    def __init__(self, inventory: Path) -> None:
        self.path = inventory
        self.inventory = load_inventory(inventory)
        self.masters = [host.name for host in self.inventory.masters]

    def fresh(self) -> None:
        haplane("lab", "down", self.path)
        haplane("lab", "up", self.path)

    def on(self, name: str, script: str) -> str:
        """What a script on a host prints; "" when it fails."""
        command = ssh_command(self.inventory.host(name), "sh", "-e")
        return capture(command, script.encode(), deadline_seconds=120, marked=True).stdout.decode().strip()

    def on_masters(self, script: str) -> dict[str, str]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(self.masters, pool.map(lambda name: self.on(name, script), self.masters), strict=True))

    def identities(self) -> dict[str, str]:
        """By master, the digest of the cluster's authority and of its service-account key."""
        return self.on_masters("cat /etc/kubernetes/pki/ca.crt /etc/kubernetes/pki/sa.key | sha256sum")

    def serving_identity(self) -> set[str]:
        """The identity of members that have been part of the cluster: it must never be another again."""
        marked = self.on_masters("test -e /etc/etcd/bootstrapped && cat /etc/kubernetes/pki/ca.crt | sha256sum")
        return {digest for digest in marked.values() if digest}

    def half_written(self) -> list[str]:
        """Files that are under their final name and not whole."""
        version = self.inventory.cluster.kubernetes_version
        manifest = load_manifest(default_directory(version))
        sums = "\n".join(f"{file.sha256}  {file.path}" for file in manifest.files)
        script = f"""
sums=$(mktemp); cat > "$sums" <<'END'
{sums}
END
sha256sum --check --quiet --ignore-missing "$sums" 2>/dev/null | grep FAILED || true
find /etc/kubernetes /etc/etcd /etc/haproxy /etc/keepalived /etc/containerd -type f -size 0 2>/dev/null || true
for file in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /etc/etcd/pki/*.crt; do
    test ! -e "$file" || grep -q 'END CERTIFICATE' "$file" || echo "$file"
done
rm -f "$sums"
"""
        return [f"{name}: {line}" for name, said in self.on_masters(script).items() for line in said.splitlines()]

    def etcd_members(self) -> list[str]:
        etcdctl = (
            "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
            "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key -w json"
        )
        listed = json.loads(self.on(self.masters[0], f"{etcdctl} member list") or "{}").get("members", [])
        return sorted(f"{member.get('name', '')}{' learner' if member.get('isLearner') else ''}" for member in listed)


FAULTS = ("SIGKILL", "SIGINT", "cut", "power")
STRUCK = "m2"


@dataclass(frozen=True)
class Outcome:
    """``problem`` is "" when everything held. Seconds: until the fault, of that run, of the completing one."""

    problem: str
    struck_seconds: float
    interrupted_seconds: float
    rerun_seconds: float


def interrupt(cluster: Cluster, fault: str, moment: Moment, inventory: Path | None = None) -> Outcome:
    """Start `up`, strike at the moment, look, mend, run `up` again, and look again."""
    run = Run(inventory or cluster.path)
    if not run.wait_for(moment):
        ended = run.end()
        return Outcome(f"the moment did not come: exit {ended.code}\n{ended.said[-1500:]}", 0, ended.seconds, 0)
    struck = time.monotonic()
    after = struck - run.began
    STRIKE[fault](cluster, run)
    ended = run.end()
    problems = told(fault, ended, run, struck)
    mend(cluster, fault)
    before = cluster.serving_identity()
    problems += [f"half written: {line}" for line in cluster.half_written()]
    rerun = run_again(inventory or cluster.path)
    if rerun.code != 0:
        return Outcome(
            f"the second run: exit {rerun.code}\n{rerun.said[-3000:]}", after, ended.seconds, rerun.seconds
        )
    problems += wrong_afterwards(cluster, before, inventory or cluster.path)
    return Outcome("; ".join(problems), after, ended.seconds, rerun.seconds)


def told(fault: str, ended: Ended, run: Run, struck: float) -> list[str]:
    """What is wrong with how the interrupted run ended."""
    found = []
    if fault != "SIGKILL" and (ended.code <= 0 or "Traceback" in ended.said):
        found.append(f"it ended with {ended.code}: {ended.said[-1500:]}")
    if fault in ("cut", "power"):
        told_at = [run.heard(f"{STRUCK}: stopped responding"), run.heard(f"the lock was lost on {STRUCK}")]
        if not any(at is not None and at - struck <= 20 for at in told_at):
            found.append(f"{STRUCK} was not reported at once: {ended.said[-1500:]}")
    return found


def wrong_afterwards(cluster: Cluster, identity_before: set[str], inventory: Path) -> list[str]:
    found = []
    identities = set(cluster.identities().values())
    serving = cluster.serving_identity()
    if len(identities) != 1 or len(serving) != 1 or not identity_before <= serving:
        found.append(f"identities: {identity_before} before, {serving} after, files {identities}")
    if cluster.etcd_members() != sorted(cluster.masters):
        found.append(f"etcd members: {cluster.etcd_members()}")
    found += [f"half written: {line}" for line in cluster.half_written()]
    third = json.loads(haplane("up", "--yes", "--json", inventory, code=None) or "{}")
    if third.get("changed") is not False or not (third.get("status") or {}).get("healthy"):
        found.append(f"a third run is not quiet: {third.get('plan')} {third.get('error')}")
    return found


def run_again(inventory: Path) -> Ended:
    """At once; while the interrupted run's lock is not free yet, again."""
    deadline = time.monotonic() + 15
    while True:
        ended = Run(inventory).end()
        if ended.code != LOCKED or time.monotonic() > deadline:
            return ended


def mend(cluster: Cluster, fault: str) -> None:
    if fault == "cut":
        lifecycle.heal(cluster.inventory, [STRUCK])
    if fault == "power":
        lifecycle.start(cluster.inventory, [STRUCK])


STRIKE: dict[str, Callable[[Cluster, Run], None]] = {
    "SIGKILL": lambda _, run: run.process.kill(),
    "SIGINT": lambda _, run: run.process.send_signal(signal.SIGINT),
    "cut": lambda cluster, _: lifecycle.cut(cluster.inventory, [STRUCK]),
    "power": lambda cluster, _: lifecycle.kill(cluster.inventory, [STRUCK]),
}


def titles(said: str) -> list[str]:
    """The phases that a run went through, in its order."""
    return re.findall(r"s  up: (.+)", said)
