"""What the agent calls a snapshot survives a power cut: the order of its fsyncs and renames, as strace saw them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from haplane.agent.manifest import PARTS, SIGNATURE

from .machinery import Cluster
from .members import Members

pytestmark = pytest.mark.bundle

FSYNC = re.compile(r"fsync\(\d+<(?P<path>[^>]+)>\)\s+= 0")
RENAME = re.compile(r'rename(?:at2?)?\((?:AT_FDCWD(?:<[^>]*>)?, )?"(?P<old>[^"]+)", .*"(?P<new>[^"]+)".*\)\s+= 0')
SPLIT = re.compile(r"^(?P<pid>\d+)\s+(?P<rest>.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(?P<pid>\d+)\s+<\.\.\. \w+ resumed>(?P<rest>.*)$")
STRACE = ("strace", "-f", "-y", "-s", "4096", "--seccomp-bpf", "-qq", "-e", "trace=fsync,rename,renameat,renameat2")


@dataclass
class Disk:
    """Paths whose content a power cut leaves, and directories in which it may lose a name."""

    written: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)

    def fsync(self, path: str) -> None:
        self.written.add(path)
        self.unsure.discard(path)

    def rename(self, old: str, new: str) -> None:
        def now(path: str) -> str:
            return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path

        self.written = {now(path) for path in self.written}
        self.unsure = {now(path) for path in self.unsure} | {str(Path(new).parent)}

    def misses(self, place: Path, parts: tuple[str, ...]) -> list[str]:
        """What of a snapshot a power cut could take."""
        lost = [part for part in parts if str(place / part) not in self.written]
        return lost + [name for name in (str(place), str(place.parent)) if name in self.unsure]


def whole_calls(lines: Iterable[str]) -> Iterator[str]:
    """Each call in one line, where it had ended: strace splits one while another process makes one of its own."""
    begun: dict[str, str] = {}
    for line in lines:
        if found := SPLIT.match(line):
            begun[found["pid"]] = found["rest"]
        elif found := RESUMED.match(line):
            yield f"{found['pid']} {begun.pop(found['pid'])}{found['rest']}"
        else:
            yield line


def test_it_is_on_the_disk_before_its_signature_and_the_signature_before_success(
    cluster: Cluster, members: Members, tmp_path: Path
) -> None:
    member = members.make()
    made = member.ended(member.start("take", (*STRACE, "-o", str(tmp_path / "calls"))))
    place = member.directory / made["id"]
    disk, signed = Disk(), False
    for line in whole_calls((tmp_path / "calls").read_text().splitlines()):
        if found := RENAME.search(line):
            if found["new"] == str(place / SIGNATURE):
                assert disk.misses(place, tuple(part for part in PARTS if part != SIGNATURE)) == []
                signed = True
            disk.rename(found["old"], found["new"])
        elif found := FSYNC.search(line):
            disk.fsync(found["path"])
    assert signed, "the signature is put under its name once it is whole"
    assert disk.misses(place, PARTS) == []


def test_a_name_without_an_fsync_of_its_directory_counts_as_lost() -> None:
    disk, place = Disk(), Path("/snapshots/one")
    disk.fsync("/work/payload")
    disk.rename("/work/payload", "/snapshots/one/payload")
    assert disk.misses(place, ("payload", "keys")) == ["keys", "/snapshots/one"]
    disk.fsync("/snapshots/one")
    assert disk.misses(place, ("payload",)) == []


def test_an_fsync_counts_from_its_end_on_whoever_calls_meanwhile() -> None:
    calls = """
7 fsync(3</work/payload> <unfinished ...>
8 rename("/work/a", "/work/b") = 0
7 <... fsync resumed>)              = 0
""".strip()
    whole = list(whole_calls(calls.splitlines()))
    assert [bool(RENAME.search(line)) for line in whole] == [True, False]
    found = FSYNC.search(whole[1])
    assert found is not None
    assert found["path"] == "/work/payload"
