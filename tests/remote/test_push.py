"""Real streams to real sshds: whole files under their final names, or nothing."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haplane.bundle.manifest import BundleFile
from haplane.config.model import Host
from haplane.domain.progress import silent
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.procedures.pushes import wait_for_all
from haplane.remote import connection, openssh
from haplane.remote.push import Push

STAMPS = "/var/lib/haplane/stamps.json"
CONTENT = bytes(range(256)) * 8192  # 2 MiB: more than a pipe and a buffer hold


@pytest.fixture
def host(machines) -> Host:
    return machines[0].masters[0]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "bundle").mkdir()
    return tmp_path / "bundle"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "host" / "opt"


def stored(bundle: Path, path: Path, content: bytes = CONTENT, mode: int = 0o755, **changes: Any) -> BundleFile:
    """A file of the bundle, compressed when its name ends so."""
    compressed = path.suffix == ".zstd"
    copy = bundle / path.name
    copy.write_bytes(content)
    if compressed:
        copy.write_bytes(subprocess.run(["zstd", "-q", "-c", copy], stdout=subprocess.PIPE, check=True).stdout)
    fields = {
        "component": "any", "path": str(path), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
        "mode": mode, "stored": copy.name, "stored_size": copy.stat().st_size,
        "compression": "zstd" if compressed else "none", "roles": ("master",),
    }  # fmt: skip
    return BundleFile.model_validate(fields | changes)


@pytest.fixture
def endless(bundle: Path, target: Path) -> Iterator[tuple[BundleFile, subprocess.Popen[bytes]]]:
    """A file whose copy is a pipe that its writer, a process, never writes to the end of."""
    file = stored(bundle, target / "endless")
    copy = bundle / "pipe"
    subprocess.run(["mkfifo", copy], check=True)
    writing = f"exec 3>'{copy}'; dd if=/dev/zero bs=2000000 count=1 >&3 2>/dev/null; exec sleep 60"
    writer = subprocess.Popen(["sh", "-c", writing])
    yield file.model_copy(update={"stored": copy.name}), writer
    writer.kill()
    writer.wait()


def left_on(target: Path) -> list[str]:
    """Every file there, temporary ones too."""
    return sorted(path.name for path in target.rglob("*") if path.is_file())


def test_files_arrive_with_content_mode_and_stamp(host, bundle, target):
    files = [stored(bundle, target / "plain", mode=0o644), stored(bundle, target / "kubelet.zstd")]
    Push(host, bundle, files, silent).wait()
    stamps = json.loads(openssh.run(host, "cat", STAMPS))
    for file in files:
        path = Path(file.path)
        status = path.stat()
        assert path.read_bytes() == CONTENT
        assert status.st_mode & 0o7777 == file.mode
        assert stamps[file.path] == {
            "seen": [status.st_size, status.st_mtime_ns, status.st_ino],
            "sha256": file.sha256,
        }
    assert left_on(target) == ["kubelet.zstd", "plain"]


@pytest.mark.parametrize("name", ["kubelet", "kubelet.zstd"])
@pytest.mark.parametrize("change", [bytes.swapcase, lambda content: content * 3], ids=["other content", "more of it"])
def test_a_file_that_is_not_the_manifests_is_refused_and_never_stamped(host, bundle, target, name, change):
    """Changed after the bundle was made: hosts ran it as root, and their stamp said that it was as wanted."""
    good = stored(bundle, target / name)
    bad = stored(bundle, target / name, change(CONTENT))
    changed = good.model_copy(update={"stored_size": bad.stored_size})
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [changed], silent).wait()
    assert f"{good.path} is not the file of the bundle's manifest" in failure.value.why
    assert left_on(target) == []
    assert good.path not in json.loads(openssh.run(host, "sh", "-c", f"cat {STAMPS} || echo {{}}"))


def test_a_bomb_is_not_unpacked_on_the_host(host, bundle, target):
    """48 KiB that would be 1.5 GiB."""
    bomb = stored(bundle, target / "bomb.zstd", bytes(64 << 20))
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [bomb.model_copy(update={"size": 1 << 20})], silent).wait()
    assert "it is larger than 1048576 bytes" in failure.value.why
    assert left_on(target) == []


def test_a_file_in_use_is_replaced_and_not_written_into(host, bundle, target):
    target.mkdir(parents=True)
    (target / "plain").write_text("older")
    with (target / "plain").open() as in_use:
        Push(host, bundle, [stored(bundle, target / "plain")], silent).wait()
        assert in_use.read() == "older"
    assert (target / "plain").read_bytes() == CONTENT


def test_progress_is_told_by_host_and_fraction(host, bundle, target):
    told: list[tuple[str, float | None]] = []
    files = [stored(bundle, target / "one"), stored(bundle, target / "two")]
    Push(host, bundle, files, lambda subject, _, fraction=None: told.append((subject, fraction))).wait()
    fractions = [fraction for _, fraction in told]
    assert {subject for subject, _ in told} == {"m1"}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_stream_that_is_cut_keeps_what_was_whole_and_nothing_else(host, bundle, target):
    whole, short = stored(bundle, target / "whole"), stored(bundle, target / "short")
    longer = short.model_copy(update={"stored_size": short.stored_size * 2})  # its copy was cut in the bundle
    Push(host, bundle, [whole], silent).wait()
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [longer], silent).wait()
    assert failure.value.what == "pushing files to m1 failed"
    assert failure.value.where.startswith("m1: ")
    assert failure.value.why
    assert "files that arrived are kept" in failure.value.next_step
    _until(lambda: left_on(target) == ["whole"])
    assert (target / "whole").read_bytes() == CONTENT


@pytest.mark.parametrize("damage", [b"not zstd at all" * 1000, None], ids=["other bytes", "cut short"])
def test_what_zstd_cannot_unpack_takes_no_final_name(host, bundle, target, damage):
    file = stored(bundle, target / "kubelet.zstd")
    copy = bundle / file.stored
    copy.write_bytes(damage or copy.read_bytes()[:-64])
    file = file.model_copy(update={"stored_size": copy.stat().st_size})
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [file, stored(bundle, target / "after")], silent).wait()
    assert f"zstd cannot unpack {file.path}" in failure.value.why
    assert left_on(target) == []


def test_a_host_that_cannot_take_it_says_why(host, bundle, target):
    target.mkdir(parents=True)
    (target / "file").write_text("in the way of a directory")
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [stored(bundle, target / "file" / "below")], silent).wait()
    assert "Error" in failure.value.why


def test_a_receiver_that_is_killed_leaves_nothing_under_a_final_name(machines, bundle, target, endless):
    inventory, hosts = machines
    file, writer = endless
    push = Push(inventory.masters[0], bundle, [file], silent)
    _until(lambda: left_on(target) == ["endless.haplane-new"])
    hosts["m1"].signal("takes a tar stream of files", signal.SIGKILL)
    writer.kill()
    with pytest.raises(HaplaneError):
        push.wait(10)
    assert not (target / "endless").exists()


def test_a_push_that_hangs_meets_its_deadline(host, bundle, endless):
    push = Push(host, bundle, [endless[0]], silent)
    with pytest.raises(DeadlinePassed) as failure:
        push.wait(0.5)
    assert "m1" in failure.value.what


def test_a_push_to_a_host_that_is_gone_is_not_waited_for(host, bundle, endless):
    push = Push(host, bundle, [endless[0]], silent)
    connection.hang_up(host)
    try:
        with pytest.raises(HaplaneError) as failure:
            push.wait(30)
    finally:
        connection.dial_again()
    assert failure.value.why == "the host stopped responding"


def test_all_streams_are_waited_for_before_a_failure_is_told(machines, bundle, target):
    one, other, _ = machines[0].masters
    bad = stored(bundle, target / "bad.zstd")
    (bundle / bad.stored).write_bytes(b"x" * bad.stored_size)
    good = stored(bundle, target / "good")
    with pytest.raises(HaplaneError, match="m1"):
        wait_for_all([Push(one, bundle, [bad], silent), Push(other, bundle, [good], silent)])
    assert left_on(target) == ["good"]


def _until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


@pytest.mark.parametrize("damaged", [b"[]", b"{", b"\xff", b"7"])
def test_stamps_that_cannot_be_read_are_written_anew(host, bundle, target, damaged):
    openssh.run(host, "sh", "-c", f"cat > {STAMPS}", stdin=damaged)
    file = stored(bundle, target / "plain")
    Push(host, bundle, [file], silent).wait()
    assert set(json.loads(openssh.run(host, "cat", STAMPS))) == {file.path}


def test_a_disk_that_fills_up_on_the_way_is_said_and_leaves_nothing_half(host, bundle):
    small = "/var/lib/haplane/small"
    openssh.run(host, "sh", "-c", f"mkdir {small} && mount -t tmpfs -o size=1m tmpfs {small}")
    whole, large = (stored(bundle, Path(small) / name, content) for name, content in (("a", b"a"), ("b", CONTENT)))
    with pytest.raises(HaplaneError) as failure:
        Push(host, bundle, [whole, large], silent).wait()
    why = f"{large.path}, 2 MiB: no space left on the file system {small} (0 MiB, "
    assert failure.value.why.startswith(why), failure.value.why
    assert failure.value.next_step.startswith("make room on that file system and re-run the same command")
    assert openssh.run(host, "ls", "-A", small) == b"a\n"
    openssh.run(host, "mount", "-o", "remount,size=32m", small)
    Push(host, bundle, [large], silent).wait()
    assert openssh.run(host, "ls", "-A", small) == b"a\nb\n"
