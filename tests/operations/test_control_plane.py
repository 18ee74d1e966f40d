"""The scripts that end and start static pods, for real, with a kubelet that follows the manifests."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from haplane.desired.keys import KUBEADM_CERTIFICATES
from haplane.domain import host_paths
from haplane.drills.probing.probers import NEWEST
from haplane.errors import DEADLINE_MARK
from haplane.host_programs import parts, program
from haplane.operations.on_host.control_plane import DEADLINE_MARK as ITS_MARK
from haplane.scripts import script

PROGRAM = program(*parts("facts", "probe", "static_pods"), *parts("operations", "control_plane"))
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
LEADER = "kube-controller-manager"
DRIVERS = {
    "v1, cgroupfs": "7:memory:/kubepods/burstable/pod{pod}/{id}\n1:name=systemd:/kubepods/burstable/pod{pod}/{id}\n",
    "v1, systemd": "7:memory:/kubepods.slice/kubepods-pod{pod}.slice/cri-containerd-{id}.scope\n0::/\n",
    "v2, cgroupfs": "0::/kubepods/burstable/pod{pod}/{id}\n",
    "v2, systemd": "0::/kubepods.slice/kubepods-burstable.slice/kubepods-pod{pod}.slice/cri-containerd-{id}.scope\n",
}
READ_AT_START = (
    *(f"{stem}.{end}" for path in KUBEADM_CERTIFICATES.values() if path.endswith(".crt")
      for stem in [path.removesuffix(".crt")] for end in ("crt", "key")),
    host_paths.KUBERNETES_CA_CRT, host_paths.ETCD_CA_CRT, host_paths.APISERVER_ETCD_CLIENT_CRT,
    f"{host_paths.SERVICE_ACCOUNT_STEM}.key", f"{host_paths.SERVICE_ACCOUNT_STEM}.pub",
    host_paths.ENCRYPTION_YAML, host_paths.AUTHENTICATION_YAML, host_paths.AUDIT_POLICY_YAML,
)  # fmt: skip


@dataclass
class Master:
    """A machine below a directory: manifests, containerd's record, /proc."""

    root: Path
    events: list = field(default_factory=list)
    numbers: int = 100
    groups: str = DRIVERS["v1, cgroupfs"]

    def path(self, path):
        return self.root / path.lstrip("/")

    def manifest(self, component):
        return self.path(f"/etc/kubernetes/manifests/{component}.yaml")

    def aside(self, component):
        return self.path(f"/etc/kubernetes/haplane/{component}.yaml")

    def text(self, program):
        """A program for this machine."""
        for place in ("/etc/kubernetes", "/run/containerd", "/var/lib/kubelet"):
            program = program.replace(place, str(self.path(place)))
        program = program.replace('PROC = "/proc"', f'PROC = "{self.path("/proc")}"')
        return program.replace("ROOT = 0\n", f"ROOT = {os.getuid()}\n")

    def run(self, name, change=("", ""), **variables):
        text = script(name, **variables)
        return self.shell(self.text(text).replace(*change))

    def restart(self, *, answers=True):
        """``answers``: whether the API server does, which is none."""
        change = ("apiserver_answers 10", str(answers).lower())
        return self.run("restart_control_plane", change, note_program=NOTE, port="6443")

    def control_plane(self, *words):
        return self.shell(shlex.join(["python3", "-I", "-c", self.text(PROGRAM), *words]))

    def shell(self, text):
        return subprocess.run(
            ["/bin/sh", "-c", text],
            env={"PATH": f"{self.path('/bin')}:{Path(sys.executable).parent}:/usr/bin:/bin"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def program(self, name, script):
        path = self.path(f"/bin/{name}")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def list(self, component):
        return [int(line) for line in self.control_plane("list", component).stdout.split()]

    def start(self, component, *, namespace="kube-system", pod=None, groups=None):
        """A container, and its process's number."""
        self.numbers += 1
        container, pod_uid = f"{self.numbers:064x}", f"{self.numbers:032x}"
        bundle = self.path(f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{container}")
        bundle.mkdir(parents=True)
        said = {
            "container-type": "container", "container-name": component, "sandbox-namespace": namespace,
            "sandbox-name": pod or f"{component}-m1", "sandbox-uid": pod_uid,
        }  # fmt: skip
        annotations = {f"io.kubernetes.cri.{key}": value for key, value in said.items()}
        (bundle / "config.json").write_text(json.dumps({"annotations": annotations}))
        (bundle / "init.pid").write_text(str(self.numbers))
        self.process(self.numbers, component, (groups or self.groups).format(pod=pod_uid, id=container))
        self.path(f"/var/lib/kubelet/pods/{pod_uid}/containers/{component}").mkdir(parents=True)
        return self.numbers

    def process(self, number, name, groups, state="S"):
        """What /proc shows of it."""
        directory = self.path(f"/proc/{number}")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "stat").write_text(f"{number} ({name[:15]}) {state} 1 1")
        (directory / "cgroup").write_text(groups)

    def kubelet(self, ended):
        """Follows the manifests until it is told to end."""
        running = {}
        while not ended.is_set():
            for component in COMPONENTS:
                wanted = self.manifest(component).exists()
                if wanted and component not in running:
                    running[component] = self.start(component)
                    self.events.append(f"{component} starts")  # last: whoever waits for it starts others
                elif not wanted and component in running:
                    self.events.append(f"{component} ends")
                    number = running.pop(component)
                    shutil.rmtree(self.path(f"/proc/{number}"))
                    shutil.rmtree(self.path(f"/var/lib/kubelet/pods/{number:032x}"))
            time.sleep(0.02)


@pytest.fixture
def bare(tmp_path):
    """A machine on which nothing runs."""
    master = Master(tmp_path)
    for path in ("/etc/kubernetes/manifests", "/etc/kubernetes/haplane", "/proc"):
        master.path(path).mkdir(parents=True)
    return master


@pytest.fixture
def master(bare):
    """All three run; kubeadm writes manifests, kubectl knows who leads, and what was done is written down."""
    log = bare.path("/log")
    for component in COMPONENTS:
        bare.manifest(component).write_text("old")
    for path in READ_AT_START:
        bare.path(path).parent.mkdir(parents=True, exist_ok=True)
        bare.path(path).write_text("a key, or a setting")
    bare.program(
        "kubeadm",
        f"""
echo kubeadm "$@" >> {log}
case "$*" in *--dry-run*) exit 0 ;; *"phase certs"*) exit 0 ;; esac
echo new > {bare.path("/etc/kubernetes/manifests")}/kube-$4.yaml""",
    )
    bare.program(
        "kubectl",
        f"""
echo kubectl "$@" >> {log}
case "$*" in *"get lease {LEADER}"*) echo "$(hostname)_1" ;; *"get lease"*) echo another_1 ;; esac""",
    )
    bare.program("systemctl", f'echo systemctl "$@" >> {log}')
    ended = threading.Event()
    following = threading.Thread(target=bare.kubelet, args=(ended,))
    following.start()
    while len(bare.events) < len(COMPONENTS):
        time.sleep(0.01)
    bare.events.clear()
    yield bare
    ended.set()
    following.join()


NOTE = "import sys; open(sys.argv[1] + '.noted', 'w').write(open(sys.argv[1]).read())"


def test_a_file_that_the_api_server_would_not_start_without_keeps_it_running(master):
    """`rm -rf /etc/kubernetes/pki` on a serving master: the restart ended its API server, and nothing started it."""
    master.path(host_paths.ENCRYPTION_YAML).unlink()
    master.path(host_paths.APISERVER_CRT).unlink()
    done = master.restart()
    assert done.returncode == 1
    assert "encryption.yaml is missing" in done.stderr
    assert master.events == []
    assert "phase certs apiserver --config" in master.path("/log").read_text()


@pytest.mark.parametrize("groups", DRIVERS.values(), ids=DRIVERS)
def test_a_static_pods_process_is_found_by_its_container(bare, groups):
    number = bare.start("kube-apiserver", groups=groups)
    bare.start("kube-scheduler", groups=groups)
    assert bare.list("kube-apiserver") == [number]


def test_nobody_elses_process_is_taken_for_the_control_planes(bare):
    """By its name, in another namespace, in a pod of another name; nor one that got the number of one that ended."""
    bare.process(1, "kube-apiserver", "0::/user.slice/user-1000.slice/session-1.scope\n")
    bare.start("kube-apiserver", namespace="virtual")
    bare.start("kube-apiserver", pod="mine")
    bare.process(bare.start("kube-apiserver"), "kube-apiserver", "0::/system.slice/sshd.service\n")
    bare.process(bare.start("kube-apiserver"), "kube-apiserver", bare.groups, state="Z")
    assert bare.list("kube-apiserver") == []


def test_a_process_of_another_user_is_nobodys(bare):
    bare.start("kube-apiserver")
    program = bare.text(PROGRAM).replace(f"ROOT = {os.getuid()}\n", "ROOT = 4711\n")
    said = subprocess.run(
        [sys.executable, "-I", "-c", program, "list", "kube-apiserver"], capture_output=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, b"")


def test_a_drill_probes_from_the_clusters_own_dns_and_not_a_tenants(bare):
    """By its name, a tenant's CoreDNS was as good: its network may be any."""
    ours = bare.start("coredns", pod="coredns-6f6b-x2x")
    bare.start("coredns", namespace="tenant-1", pod="coredns-0")
    bare.process(999, "coredns", "0::/kubepods/burstable/pod1/2\n")
    found = bare.shell(
        shlex.join(["python3", "-I", "-c", bare.text(program(*NEWEST)).replace("ROOT = ", "ROOT = 1 + "), "coredns"])
    )
    assert (found.returncode, found.stdout) == (0, f"{ours}\n")


def test_a_restart_ends_and_starts_each_once_and_frees_the_lease_of_the_one_that_led(master):
    """Also beside somebody's process of that name, which goes on."""
    master.process(7, "kube-apiserver", "0::/user.slice\n")
    master.start("kube-apiserver", namespace="virtual")
    done = master.restart()
    assert done.returncode == 0, done.stderr
    assert sorted(master.events[:2]) == ["kube-controller-manager ends", "kube-scheduler ends"]
    assert master.events[2] == "kube-apiserver ends"
    assert not master.manifest(LEADER).exists()
    assert master.manifest("kube-apiserver").read_text() == "new\n"
    assert Path(f"{master.manifest('kube-apiserver')}.noted").exists()
    log = master.path("/log").read_text()
    assert f"patch lease {LEADER}" in log
    assert "patch lease kube-scheduler" not in log
    failed = master.run("start_controllers", ("start 90", "start 1"), note_program=NOTE)
    assert failed.returncode != 0
    assert DEADLINE_MARK in failed.stderr
    assert "is not healthy" in failed.stderr
    assert sorted(master.events[3:]) == [f"{component} starts" for component in COMPONENTS]
    assert [master.aside(component).exists() for component in COMPONENTS] == [False] * 3


def test_where_no_api_server_answers_the_kubelet_starts_anew_with_the_new_manifest(master):
    """A kubelet that was started meanwhile ended nothing: `up` failed after 60 s, again and again."""
    done = master.restart(answers=False)
    assert done.returncode == 0, done.stderr
    log = [line for line in master.path("/log").read_text().splitlines() if "--dry-run" not in line]
    stops, patches, writes, starts = (
        next(number for number, line in enumerate(log) if words in line)
        for words in (
            "systemctl stop kubelet",
            f"patch lease {LEADER}",
            "phase control-plane apiserver",
            "systemctl start",
        )
    )
    assert stops < patches < writes < starts
    assert [master.manifest(component).exists() for component in COMPONENTS] == [True, False, False]
    assert master.manifest("kube-apiserver").read_text() == "new\n"


def test_a_kubelet_that_was_stopped_runs_again_when_the_restart_fails(master):
    master.program("kubeadm", 'case "$*" in *--dry-run*) exit 0 ;; esac; exit 1')
    assert master.restart(answers=False).returncode != 0
    assert [master.manifest(component).read_text() for component in COMPONENTS] == ["old"] * 3
    assert master.path("/log").read_text().splitlines()[-1] == "systemctl start kubelet.service"


def test_a_scheduler_restarts_alone_and_frees_the_lease_of_a_holder_that_is_gone(master):
    """Every scheduler ran, nobody led: the lease was held by an identity that no host has."""
    log = master.path("/log")
    master.program(
        "kubectl",
        f"""
echo kubectl "$@" >> {log}
case "$*" in *holderIdentity}}) echo gone_1 ;; *renewTime}}) echo 2026-11-29T10:00:00.000000Z ;; esac""",
    )
    done = master.run("restart_controller", ("start 90", "start 1"), component="kube-scheduler")
    assert "is not healthy" in done.stderr
    assert master.events == ["kube-scheduler ends", "kube-scheduler starts"]
    assert master.manifest("kube-scheduler").read_text() == "old"
    (patch,) = [line for line in log.read_text().splitlines() if " patch " in line]
    assert "patch lease kube-scheduler" in patch
    changes = json.loads(patch.partition("--patch=")[2])
    assert [(change["op"], change["path"], change["value"]) for change in changes] == [
        ("test", "/spec/holderIdentity", "gone_1"),
        ("test", "/spec/renewTime", "2026-11-29T10:00:00.000000Z"),
        ("replace", "/spec/holderIdentity", ""),
    ]


def test_a_configuration_that_kubeadm_refuses_stops_nothing(master):
    master.program("kubeadm", "exit 1")
    assert master.restart().returncode != 0
    assert master.events == []


def test_what_was_stopped_is_back_when_the_restart_fails(master):
    master.program("kubeadm", 'case "$*" in *--dry-run*) exit 0 ;; esac; exit 1')
    assert master.restart().returncode != 0
    assert [master.manifest(component).read_text() for component in COMPONENTS] == ["old"] * 3


def test_one_that_does_not_end_keeps_its_manifest(bare):
    bare.manifest("kube-apiserver").write_text("old")
    bare.start("kube-apiserver")
    done = bare.control_plane("stop", "1", "kube-apiserver")
    assert done.returncode != 0
    assert done.stderr.startswith(DEADLINE_MARK)
    assert "kube-apiserver (101) still runs" in done.stderr
    assert bare.manifest("kube-apiserver").exists()


def test_the_drill_kills_the_masters_own_api_server_and_no_tenants(bare):
    """Control planes in pods: `pkill -x kube-apiserver` killed every API server on the host."""
    with subprocess.Popen(["sleep", "60"]) as ours, subprocess.Popen(["sleep", "60"]) as theirs:
        try:
            bare.numbers = ours.pid - 1
            bare.start("kube-apiserver")
            bare.numbers = theirs.pid - 1
            bare.start("kube-apiserver", namespace="tenant-1", pod="kube-apiserver-0")
            done = bare.run("kill_apiserver")
            assert done.returncode == 0, done.stderr
            assert ours.wait(10) == -signal.SIGKILL
            assert theirs.poll() is None
        finally:
            ours.kill()
            theirs.kill()
    shutil.rmtree(bare.path(f"/proc/{ours.pid}"))
    again = bare.run("kill_apiserver")
    assert again.returncode != 0
    assert again.stderr == "no kube-apiserver of this master's control plane runs\n"


def test_the_mark_of_a_deadline_is_everybodys():
    assert ITS_MARK == DEADLINE_MARK


def test_all_three_are_taken_out_and_put_back(master):
    assert master.run("take_out_control_plane").returncode == 0
    assert [master.aside(component).exists() for component in COMPONENTS] == [True] * 3
    master.program("systemctl", "exit 0")
    assert master.shell(master.text(script("start_apiserver"))).returncode == 0
    assert [master.manifest(component).exists() for component in COMPONENTS] == [True, False, False]
    waited = master.run("wait_for_controllers", deadline_seconds="1")
    assert "is not healthy" in waited.stderr
    assert [master.manifest(component).exists() for component in COMPONENTS] == [True] * 3


JOURNAL = """#!/bin/sh
since=$(expr "$*" : '.*--since=-\\([0-9]*\\)s')
test "$since" -gt 75 || exit 0  # it said so 75 s ago
test -e {started} || echo 'E1 "Error syncing pod" err="CrashLoopBackOff: \\"back-off 2m40s restarting failed \
container=kube-scheduler pod=kube-scheduler-m1_kube-system(351a)\\""'
"""


def test_one_that_its_kubelet_holds_back_is_waited_for_as_long(master):
    """It was ended often within minutes; what does not run for another reason is not."""
    journalctl = master.path("/bin/journalctl")
    journalctl.parent.mkdir(parents=True, exist_ok=True)
    journalctl.write_text(JOURNAL.format(started=master.path("/started")))
    journalctl.chmod(0o755)
    program = shlex.join(["python3", "-I", "-c", master.text(PROGRAM), "start", "0", "kube-scheduler"])
    shortened = program.replace("BACK_OFF_SECONDS = 240", "BACK_OFF_SECONDS = 2")
    began = time.monotonic()
    held = master.shell(shortened)
    assert "its kubelet waits 2m40s to start kube-scheduler, which ended often within minutes" in held.stderr
    assert time.monotonic() - began >= 2
    master.path("/started").touch()
    other = master.shell(shortened)
    assert re.search(r"not within \d+ s", other.stderr)


BUSY = "while True: pass"
IDLE = "import time; time.sleep(60)"


@pytest.mark.parametrize(("program", "longer"), [(BUSY, True), (IDLE, False)])
def test_an_api_server_that_works_on_a_slow_host_is_waited_for_beyond_the_deadline(bare, program, longer):
    """One machine needs three minutes for what another does in ten seconds."""
    with subprocess.Popen([sys.executable, "-c", program]) as server:
        try:
            bare.numbers = server.pid - 1
            bare.start("kube-apiserver")
            done = bare.run("wait_for_apiserver", ("BACK_OFF_SECONDS = 240", "BACK_OFF_SECONDS = 2"),
                            port="1", deadline_seconds="0")  # fmt: skip
        finally:
            server.kill()
    assert done.returncode != 0
    assert done.stderr.startswith(DEADLINE_MARK)
    assert ("kube-apiserver still starts, and uses the CPU" in done.stderr) == longer


def test_an_api_server_that_ends_again_is_not_waited_for_longer(bare):
    """Its kubelet holds it back: waited for until it was started once."""
    bare.program("journalctl", """echo 'err="back-off 40s restarting failed container=kube-apiserver"'""")
    held = ("BACK_OFF_SECONDS = 240", "BACK_OFF_SECONDS = 2")
    never = bare.run("wait_for_apiserver", held, port="1", deadline_seconds="0")
    assert "its kubelet waits 40s to start kube-apiserver" in never.stderr
    bare.start("kube-apiserver")
    once = bare.run("wait_for_apiserver", held, port="1", deadline_seconds="0")
    assert "its kubelet waits" not in once.stderr
