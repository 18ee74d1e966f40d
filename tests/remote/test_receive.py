"""How archives are handed to containerd: a ctr that does what a test says, and the script as a host runs it."""

import contextlib
import fcntl
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from haplane import remote
from haplane.scripts import script
from haplane.waiting import wait_until

RECEIVER = Path(remote.__file__).parent / "on_host" / "receive.py"
IMAGE = "registry/coredns:v1"
ARCHIVE = "/var/lib/haplane/images/coredns.tar"


@pytest.fixture
def receiver(tmp_path):
    """Starts the script, told of an archive that the host has; its ctr does this when it is to import."""
    socket, programs = tmp_path / "containerd.sock", tmp_path / "bin"
    programs.mkdir()
    running = []

    def serve():
        subprocess.run([sys.executable, "-c", f"import socket; socket.socket(1).bind({str(socket)!r})"], check=True)

    def start(
        importing: str,
        seconds: int = 60,
        containerd_seconds: int = 60,
        *,
        serving=True,
        node=False,
        archives=1,
        archive=ARCHIVE,
        others="",
        report_seconds=5,
        turn_seconds=60,
    ) -> subprocess.Popen:
        if serving:
            serve()
        ctr = programs / "ctr"
        ctr.write_text(f'#!/bin/sh\ncase "$*" in *import*)\n{importing};;\n{others}\nesac\n')
        ctr.chmod(0o755)
        importing = script("import_image", containerd_seconds=str(containerd_seconds), import_seconds=str(seconds))
        importing = importing.replace("/run/containerd/containerd.sock", str(socket))
        text = RECEIVER.read_text().replace("/var/lib/haplane/stamps.json", str(tmp_path / "stamps.json"))
        text = text.replace("/run/haplane-import", str(tmp_path / "turn"))
        text = text.replace("/etc/kubernetes/kubelet.conf", str(programs if node else tmp_path / "absent"))
        given = {"REPORT": report_seconds, "TURN": turn_seconds}
        for name, value in ((f"{name}_SECONDS", value) for name, value in given.items()):
            text, found = re.subn(rf"^{name} = \d+$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert found == 1
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", text, importing],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": f"{programs}:{os.environ['PATH']}", "HAPLANE_RUN": str(tmp_path / "run-mark")},
            cwd=tmp_path,
            start_new_session=True,
        )
        running.append(process)
        process.stdin.write(reminder(archives, archive))
        process.stdin.close()
        process.stdin = None
        return process

    start.serve = serve
    yield start
    for process in running:
        process.kill()
        process.communicate()


def reminder(archives: int, archive: str) -> bytes:
    member = tarfile.TarInfo(archive.lstrip("/"))
    member.pax_headers = {"HAPLANE.here": IMAGE}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for _ in range(archives):
            tar.addfile(member)
    return stream.getvalue()


def end_run(mark: Path) -> None:
    """As hold.py does."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # none, or it has ended
            if str(mark).encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def test_an_import_that_has_begun_outlives_its_run(receiver, tmp_path):
    receiver("echo unpacking; touch begun; until test -e go; do sleep 0.05; done; echo done; touch imported")
    wait_until((tmp_path / "begun").exists, 10, "the import began")
    end_run(tmp_path / "run-mark")
    (tmp_path / "go").touch()
    wait_until((tmp_path / "imported").exists, 10, "the import is complete")


def test_an_import_that_has_not_begun_never_does(receiver, tmp_path):
    receiver("touch tried; exit 1")
    wait_until((tmp_path / "tried").exists, 10, "an import failed")
    end_run(tmp_path / "run-mark")
    time.sleep(0.5)  # for one that was under way
    (tmp_path / "tried").unlink()
    time.sleep(1)
    assert not (tmp_path / "tried").exists()


def test_what_containerd_says_of_an_import_that_never_succeeds_is_the_reason(receiver):
    process = receiver("echo a warning >&2; echo no space left >&2; exit 1", seconds=1)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert said.decode().strip() == f"containerd did not import {ARCHIVE}: no space left"


LISTED = """
*list*) cat listed;;
*rm*) shift 4; for name; do grep -vxF "$name" listed > left; mv left listed; done;;
"""


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("write /var/lib/containerd/x: no space left on device", 60), ("context deadline exceeded", 1)],
)
@pytest.mark.parametrize("known", ["", "registry/other:v1"])
def test_an_image_that_was_only_half_unpacked_does_not_stay_listed(receiver, tmp_path, said, seconds, known):
    """The next look would count it as there; and with a full disk the import was tried again for ten minutes."""
    archive = tmp_path / "image.tar"
    index = json.dumps({"manifests": [{"annotations": {"io.containerd.image.name": IMAGE}}]}).encode()
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("index.json")
        member.size = len(index)
        tar.addfile(member, io.BytesIO(index))
    (tmp_path / "listed").write_text(f"{known}\n")
    importing = f"echo {IMAGE} >> listed; echo tried >> tries; echo '{said}' >&2; exit 1"
    process = receiver(importing, seconds, archive=str(archive), others=LISTED)
    _, why = process.communicate(timeout=30)
    assert process.returncode != 0
    assert said in why.decode()
    assert (tmp_path / "listed").read_text().split() == known.split()
    if "no space" in said:
        assert (tmp_path / "tries").read_text() == "tried\n"
        place = r"; no space left on the file system /[\w/]* \(\d+ MiB, \d+ inodes free\)$"
        assert re.search(place, why.decode().strip())


def test_an_import_that_hangs_is_ended_and_named(receiver):
    process = receiver("sleep 60", seconds=1)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert said.decode().strip() == f"containerd did not import {ARCHIVE}: it took longer than 1 s"


def test_what_waits_for_containerd_to_start_has_all_its_time_afterwards(receiver):
    process = receiver("echo imported > imported", seconds=2, serving=False)
    time.sleep(3)
    receiver.serve()
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0


def test_a_containerd_that_never_starts_is_the_reason(receiver):
    process = receiver("exit 1", containerd_seconds=1, serving=False)
    _, said = process.communicate(timeout=30)
    assert said.decode().strip() == f"containerd did not import {ARCHIVE}: it did not start within 1 s"


def test_a_good_import_ends_well_whatever_it_says(receiver):
    process = receiver("echo a warning >&2")
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0


def test_the_padding_behind_the_last_file_is_read(tmp_path):
    """A receiver that had all files was gone before it, and `upgrade` took the push for cut."""
    command = [sys.executable, "-I", "-c", RECEIVER.read_text().replace("/var/lib/haplane", str(tmp_path)), "false"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        process.stdin.write(bytes(2 * tarfile.BLOCKSIZE))
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.stdin.write(bytes(tarfile.RECORDSIZE))
        process.stdin.close()
        assert process.wait(30) == 0


def test_while_it_imports_the_other_end_hears_of_it(receiver, tmp_path):
    process = receiver("until test -e go; do sleep 0.05; done", report_seconds=0.1)
    heard = [process.stdout.readline() for _ in range(5)]
    (tmp_path / "go").touch()
    assert len(set(heard[1:])) == 1
    assert heard[-1].strip().isdigit()


@pytest.mark.parametrize("node", [True, False])
def test_beside_pods_at_work_layers_are_left_packed(receiver, tmp_path, node):
    process = receiver('echo "$*" >arguments', node=node)
    process.communicate(timeout=30)
    assert ("--no-unpack" in (tmp_path / "arguments").read_text().split()) is node


@pytest.mark.parametrize("node", [True, False])
def test_beside_pods_at_work_one_archive_is_imported_after_the_other(receiver, tmp_path, node):
    """Elsewhere all at once: nobody is there to be disturbed."""
    process = receiver(
        "mkdir busy || touch overlapped; sleep 0.5; rmdir busy 2>/dev/null; true", node=node, archives=3
    )
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "overlapped").exists() is not node


def test_an_import_that_never_gets_its_turn_is_named(receiver, tmp_path):
    """It waited for ever: what holds the lock need not be an import of ours."""
    with (tmp_path / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _, said = receiver("true", node=True, turn_seconds=1).communicate(timeout=30)
    assert said.decode().strip() == (
        f"containerd did not import {ARCHIVE}: another import on this host did not end within 1 s"
    )
