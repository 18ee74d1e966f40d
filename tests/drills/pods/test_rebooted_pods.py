"""What `reboot-node` shows of a pod of each kind."""

import subprocess
import uuid

import pytest
import samples
from contexts import FakeExecutor, drill_context
from fake_api import FakeApi, pod

from haplane.domain import host_paths
from haplane.drills.pods import pod_set, rebooted_pods
from haplane.drills.pods.pod_kinds import KINDS
from haplane.scripts import script

UIDS = {kind: str(uuid.UUID(int=number)) for number, kind in enumerate(KINDS)}
ANOTHER = str(uuid.UUID(int=99))


@pytest.fixture
def drill(monkeypatch):
    """The pods, the API server that lists them, and what was run on which host."""
    api, commands = FakeApi(), []

    def run(host, *words):
        commands.append((host.name, words[-1]))
        if "printf '%s %s" not in words[-1]:
            return b""
        return "".join(f"{uid} disk\n" for uid in UIDS.values()).encode()

    executor = FakeExecutor()
    executor.run = run
    monkeypatch.setattr(rebooted_pods, "READY_SECONDS", 0.2)
    monkeypatch.setattr(pod_set, "POLL_SECONDS", 0.01)
    context = drill_context(samples.inventory(), executor=executor, client=api)
    pods = rebooted_pods.RebootedPods(context, "m2")
    yield pods, api, commands
    pods.clean_up()


def reboot(drill, after):
    pods, api, _ = drill
    path = f"/api/v1/namespaces/{pods._pods.namespace}/pods"
    api.listed[path] = [pod(kind, uid) for kind, uid in UIDS.items()]
    pods.prepare()
    pods.follow()
    api.listed[path] = after
    pods.wait()
    return {figure.name: figure for figure in pods.figures()}


def test_pods_are_the_same_with_a_restart_a_new_address_and_what_was_on_disk(drill):
    after = [pod(kind, uid, restarts=1, address="10.0.0.9") for kind, uid in UIDS.items() if kind != "Job"]
    found = reboot(drill, [*after, pod("Job", UIDS["Job"], ready=False, restarts=0), pod("Job", ANOTHER)])
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Pod"):
        assert found[f"{kind}: ready again after"].held
        assert found[f"{kind}: restarts"].shown == "same pod, RESTARTS + 1, new address"
        assert found[f"{kind}: empty directories kept"].shown == "disk kept, memory lost"
    assert found["Job: restarts"].shown == "another pod, new name, same address"
    assert found["Job: empty directories kept"].shown == "disk lost, memory lost"


def test_a_pod_that_never_gets_ready_fails_the_drill(drill):
    found = reboot(drill, [pod(kind, uid) for kind, uid in UIDS.items()])
    assert not found["Pod: ready again after"].held
    assert found["Pod: ready again after"].shown == "never"


def test_words_are_left_on_the_node_and_nowhere_else_and_a_uid_is_no_path(drill):
    unsafe = "../../../etc"
    pods, api, commands = drill
    path = f"/api/v1/namespaces/{pods._pods.namespace}/pods"
    api.listed[path] = [pod(kind, uid) for kind, uid in {**UIDS, "Pod": unsafe}.items()]
    pods.prepare()
    ((host, command),) = commands
    assert host == "m2"
    assert UIDS["Job"] in command
    assert unsafe not in command


def test_the_empty_directories_of_a_real_file_system_are_marked_and_read(tmp_path):
    """Each script as the host runs it."""
    for name in ("disk", "memory"):
        (tmp_path / ANOTHER / "volumes/kubernetes.io~empty-dir" / name).mkdir(parents=True)

    def on_host(name):
        text = script(name, [ANOTHER], word="word").replace(host_paths.KUBELET_PODS, str(tmp_path))
        return subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True).stdout

    on_host("mark_empty_dirs")
    assert on_host("read_empty_dirs") == f"{ANOTHER} disk\n{ANOTHER} memory\n"
    (tmp_path / ANOTHER / "volumes/kubernetes.io~empty-dir/memory/haplane-drill").unlink()
    assert on_host("read_empty_dirs") == f"{ANOTHER} disk\n"
