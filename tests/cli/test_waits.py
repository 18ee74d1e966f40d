"""A signal ends every wait of the controller within 5 s, and says at once that it was heard.

Each case is a run as users start it, or the part of one that waits, against something that never ends. Which wait it
is in, its fakes say: they make the file ``waiting``.
"""

import os
import pickle
import signal
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from itertools import cycle

import pyrage
import pytest
import samples

from haplane.bundle.manifest import MANIFEST
from haplane.cli.signals import HEARD

pytestmark = pytest.mark.timed

WITHIN_SECONDS = 5.0
AT_ONCE_SECONDS = 1.0
START_SECONDS = 60

SSH = """#!/bin/sh
# A host that connects and never answers anything; with `silent` in its name, one that does not even connect.
case "$*" in
*ControlMaster=yes*silent*) touch "$WAITING";;
*ControlMaster=yes*)
    for word in "$@"; do
        case $word in ControlPath=/*) touch "${word#ControlPath=}.log" "${word#ControlPath=}" ;; esac
    done ;;
*) touch "$WAITING";;
esac
exec sleep 600
"""
STUBBORN = """#!/bin/sh
# A step that heeds no signal.
[ "$1" != env ] || { echo go1.99; exit 0; }
[ "$1" != version ] || { echo go version go1.99 linux/amd64; exit 0; }
trap '' INT TERM
touch "$WAITING"
while :; do sleep 600; done
"""
SCRIPT = """
import haplane.__main__
import os, pickle, sys
from pathlib import Path
from haplane.cli.signals import end_on_signals
from haplane.domain.progress import silent
from haplane.errors import HaplaneError

WAITING, given = Path(os.environ["WAITING"]), [pickle.loads(bytes.fromhex(word)) for word in sys.argv[1:]]
end_on_signals()
try:
    {body}
except (HaplaneError, KeyboardInterrupt):
    sys.exit(1)
"""


class Server(socketserver.ThreadingTCPServer):
    """HTTP, of the kind ``behaviour``; it makes the file ``waiting`` when it has been asked."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, behaviour, waiting):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour, self.waiting = behaviour, waiting
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.waiting.touch()
        if self.server.behaviour == "refuses for a minute":
            self.send_response(503)
            self.send_header("Retry-After", "60")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.server.behaviour == "trickles":
            self.send_response(200)
            self.send_header("Content-Length", "10000")
            self.end_headers()
            while True:
                self.wfile.write(b" ")
                time.sleep(0.2)
        else:
            time.sleep(600)

    def log_message(self, *words):
        pass


class Place:
    """Where a case runs: its inventory, its fakes, and the file that they make."""

    def __init__(self, directory):
        self.directory, self.waiting = directory, directory / "waiting"
        self.programs = directory / "programs"
        self.programs.mkdir()
        self.fake("ssh", SSH)
        self.environment = os.environ | {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "WAITING": str(self.waiting),
            "HOME": str(directory),
            "XDG_STATE_HOME": str(directory / "state"),
            "TMPDIR": str(directory),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def fake(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def serve(self, behaviour):
        return Server(behaviour, self.waiting).url

    def inventory(self, name="mute", **snapshots):
        bundle = self.directory / "bundle"
        bundle.mkdir()
        (bundle / MANIFEST).write_text(samples.manifest().model_dump_json())
        for file in samples.manifest().everything():
            (bundle / file.stored).write_bytes(b"x")
        masters = [
            (f"m{number}", {"address": f"10.0.0.2{number}", "ssh_hostname": f"{name}{number}"})
            for number in (1, 2, 3)
        ]
        cluster = {"name": "test", "endpoint": "127.0.0.30:9", "endpoint_is_external": True, "bundle": str(bundle)}
        cluster["kubernetes_version"] = samples.manifest().kubernetes_version
        if snapshots:
            cluster["snapshots"] = {"recipients": [str(pyrage.x25519.Identity.generate().to_public())], **snapshots}
        path = self.directory / "inventory.py"
        path.write_text(f"masters = ({masters!r}, {{'ssh_user': 'root'}})\ncluster = {cluster!r}\n")
        return path

    def suite(self):
        directory = self.directory / "suite"
        directory.mkdir()
        ignoring = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        waiting = "open(os.environ['WAITING'], 'w')\nwhile True:\n    time.sleep(600)\n"
        (directory / "test_stubborn.py").write_text(ignoring + waiting)
        return directory


def command(*words):
    return [sys.executable, "-m", "haplane", *map(str, words)]


def script(body, *given):
    return [sys.executable, "-c", SCRIPT.format(body=body), *(pickle.dumps(one).hex() for one in given)]


def hosts():
    plan = samples.inventory(masters=1, balancers=0, endpoint_is_external=True, allow_single_master=True)
    ssh = plan.masters[0].ssh.model_copy(update={"hostname": "mute", "user": "root"})
    return plan.model_copy(
        update=dict.fromkeys(("masters", "etcd"), (plan.masters[0].model_copy(update={"ssh": ssh}),))
    )


def a_host_that_does_not_connect(place):
    return command("status", place.inventory("silent"))


def a_host_that_does_not_report(place):
    return command("up", place.inventory(), "--yes")


def checks_that_do_not_end(place):
    return command("verify", place.inventory())


def a_suite_that_heeds_nothing(place):
    return command("verify", place.inventory(), "--suite", place.suite())


def a_site_that_does_not_respond(place):
    return command("bundle", "build", "--mirror", place.serve("is silent"), "--directory", place.directory / "made")


def a_site_that_trickles(place):
    return command("bundle", "build", "--mirror", place.serve("trickles"), "--directory", place.directory / "made")


def the_next_attempt_of_a_download(place):
    mirror = place.serve("refuses for a minute")
    return command("bundle", "build", "--mirror", mirror, "--directory", place.directory / "made")


def a_compiler_that_heeds_nothing(place):
    place.fake("go", STUBBORN)
    return command("bundle", "build", "--source", "modules", "--directory", place.directory / "made")


def a_bucket_that_does_not_respond(place):
    s3 = {"bucket": "etcd", "endpoint_url": place.serve("is silent"), "region": "nowhere"}
    return command("snapshot", "prune", place.inventory(s3=s3), "--dry-run")


def members_that_do_not_list_their_snapshots(place):
    return command("snapshot", "list", place.inventory(directory="/var/lib/haplane/snapshots"))


def a_lock_that_no_host_confirms(place):
    body = "from haplane.remote.lock import locked\n    with locked(given[0], given[0].masters, 'up', silent): pass"
    return script(body, hosts())


def a_stream_that_nobody_takes(place):
    (place.directory / "large").write_bytes(b"x" * (8 << 20))
    body = """
    from haplane.remote.database import send_database
    send_database(given[0].masters, Path(given[1]), "0" * 64, "/no/such/file")"""
    return script(body, hosts(), str(place.directory / "large"))


def a_fault_that_is_not_undone(place):
    body = """
    from haplane.machines.watchdog import beside_us
    with beside_us("here", ["true"], ["sh", "-c", "sleep 60"], 600) as fault:
        fault.apply()
        WAITING.touch()
        import time; time.sleep(600)"""
    return script(body)


def a_prober_that_does_not_end(place):
    body = """
    from haplane.drills.probing.recording import Recording
    with Recording(["sleep", "600"], "", list):
        WAITING.touch()
        import time; time.sleep(600)"""
    return script(body)


def a_scratch_directory_that_another_run_sweeps(place):
    body = """
    import subprocess
    from haplane.recovery.scratch import private
    root = private._root(Path(os.environ["TMPDIR"]))
    root.mkdir(mode=0o700)
    other = subprocess.Popen(["flock", str(root / private.LOCK), "sh", "-c", "touch $WAITING; exec sleep 600"])
    while not WAITING.exists(): pass
    private.sweep(Path(os.environ["TMPDIR"]))"""
    return script(body)


def a_lock_of_the_lab(place):
    body = """
    import subprocess
    from haplane.lab.command import exclusive
    lock = Path(given[0]) / "lab.lock"
    other = subprocess.Popen(["flock", str(lock), "sh", "-c", "touch $WAITING; exec sleep 600"])
    while not WAITING.exists(): pass
    with exclusive(lock, seconds=600, what="the lab"): pass"""
    return script(body, str(place.directory))


def a_payload_that_is_not_decrypted(place):
    os.mkfifo(place.directory / "payload")
    body = """
    import subprocess, types
    from haplane.snapshots.opening import decrypt_database
    payload = Path(given[0]) / "payload"
    other = subprocess.Popen(["sh", "-c", 'exec 3> "$0"; touch $WAITING; exec sleep 600', str(payload)])
    decrypt_database(payload, types.SimpleNamespace(id="an id", database_bytes=1), [], payload.parent)"""
    return script(body, str(place.directory))


CASES = [
    a_host_that_does_not_connect,
    a_host_that_does_not_report,
    checks_that_do_not_end,
    a_suite_that_heeds_nothing,
    a_site_that_does_not_respond,
    a_site_that_trickles,
    the_next_attempt_of_a_download,
    a_compiler_that_heeds_nothing,
    a_bucket_that_does_not_respond,
    a_lock_that_no_host_confirms,
    a_stream_that_nobody_takes,
    a_fault_that_is_not_undone,
    a_prober_that_does_not_end,
    a_scratch_directory_that_another_run_sweeps,
    a_lock_of_the_lab,
    a_payload_that_is_not_decrypted,
    members_that_do_not_list_their_snapshots,
]


class Run:
    """A case under way, with its standard error in a file."""

    def __init__(self, case, place):
        self.place, self.errors = place, place.directory / "stderr"
        with self.errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                case(place),
                env=place.environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=place.directory,
                start_new_session=True,
            )

    def waits(self):
        until(lambda: self.place.waiting.exists() or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.errors.read_text()

    def end(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All of them, started at once, each in its wait."""
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored by what a shell puts in the background
    started = {case: Run(case, Place(tmp_path_factory.mktemp("case"))) for case in CASES}
    try:
        for run in started.values():
            run.waits()
        time.sleep(0.5)  # from the moment when a fake was called to the one when it is waited for
        yield started
    finally:
        signal.signal(signal.SIGINT, before)
        for run in started.values():
            run.end()


@pytest.mark.parametrize(
    ("case", "number"),
    list(zip(CASES, cycle([signal.SIGINT, signal.SIGTERM]), strict=False)),
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_signal_ends_every_wait(runs, case, number):
    run = runs[case]
    run.process.send_signal(number)
    signalled = time.monotonic()
    assert until(lambda: HEARD in run.errors.read_bytes(), AT_ONCE_SECONDS), run.errors.read_text()
    run.process.wait(30)
    seconds = time.monotonic() - signalled
    assert "Traceback" not in run.errors.read_text()
    assert (run.process.returncode, seconds < WITHIN_SECONDS) == (1, True), f"{seconds} s\n{run.errors.read_text()}"


def until(condition, seconds):
    ends = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < ends:
        time.sleep(0.02)
    return met
