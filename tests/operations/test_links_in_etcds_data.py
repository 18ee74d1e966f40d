"""Who has taken over etcd fills its data directory with links: root's scripts touch nothing outside."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER
from haplane.scripts import script

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")

USER, NUMBER = "daemon", 1
"""In etcd's place: a user that every Debian has."""

CONTENT = b"the database"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PROGRAMS = {
    "systemctl": 'test "$1" != is-active',
    "etcdctl": "true",
    "etcdutl": 'mkdir -p data/member/snap data/member/wal && cp "$3" data/member/snap/db',
}
MEMBER = {"bump": "1", "name": "m1", "cluster": "m1=https://192.0.2.1:2380", "token": "t", "url": "u"}


class Host:
    """Runs scripts as root on a host whose data directory is the other user's; ``outside`` is root's."""

    def __init__(self, root):
        self.root, self.data, self.outside = root, root / "etcd", root / "outside"
        self.staging, self.aside = self.data / "restore-T", self.data / "aside-T"
        (root / "bin").mkdir()
        (root / "fault").mkdir(mode=0o700)  # as the watchdog makes it
        for name, body in PROGRAMS.items():
            (root / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
            (root / "bin" / name).chmod(0o755)
        for place in (self.data, self.outside / "member", self.outside / "data"):
            place.mkdir(parents=True)
        for place in ("file", "member/file", "data/file", "ready", "snapshot.db", "log"):
            (self.outside / place).write_text("root's")
        (self.outside / "secret").write_text("root's")
        (self.outside / "secret").chmod(0o600)
        self.before = self.seen()

    def seen(self):
        """Everything outside: kind and mode, owner, content."""
        found = {}
        for path in sorted([self.outside, *self.outside.rglob("*")]):
            about = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(about.st_mode) else None
            found[str(path)] = (about.st_mode, about.st_uid, content)
        return found

    def link(self, path, target):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def hand_over(self):
        subprocess.run(["chown", "-R", "-h", f"{USER}:{USER}", self.data], check=True)

    def text(self, name, /, *words, **variables):
        text = script(name, *words, **variables)
        places = {
            host_paths.ETCD_DATA: self.data,
            f"{host_paths.ETCD}/": f"{self.root}/",
            host_paths.FAULT: self.root / "fault",
            "/dev/loop-control": self.root / "none",
        }
        for path, place in places.items():
            text = text.replace(path, str(place))
        return text.replace(f"ETCD_USER='{ETCD_USER}'", f"ETCD_USER='{USER}'")

    def run(self, name, /, *words, data=b"", **variables):
        return self.sh(self.text(name, *words, **variables), data)

    def sh(self, text, data=b"", *, mounts=False):
        path = f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        command = [*(["unshare", "--mount"] if mounts else []), "sh", "-c", text]
        return subprocess.run(command, input=data, env={"PATH": path}, capture_output=True, timeout=60, check=False)

    def receive(self):
        return self.run("receive_database", data=CONTENT, file=str(self.staging / "snapshot.db"), sha256=SHA256)

    def rebuild(self):
        return self.run("rebuild_data", staging=str(self.staging), **MEMBER)

    def switch(self):
        return self.run("switch_data", staging=str(self.staging), previous=str(self.aside))

    def move(self):
        return self.run("move_etcd_data", timestamp="T")

    def tidy(self):
        return self.run("tidy_restores", keep="")

    def discard(self):
        return self.run("discard_etcd_data", [str(self.aside)])

    def print_staged(self):
        return self.run("print_staged", file=str(self.staging / "snapshot.db"))


@pytest.fixture
def host():
    root = Path(tempfile.mkdtemp(prefix="haplane-links-"))  # a test's own directory is closed to the other user
    root.chmod(0o755)
    try:
        yield Host(root)
    finally:
        shutil.rmtree(root)


ACTS = ("print_staged", "receive", "rebuild", "switch", "move", "tidy", "discard")
LINKS = (
    ("restore-T", ""),
    ("restore-T/snapshot.db", "secret"),
    ("restore-T/snapshot.db", "file"),
    ("restore-T/snapshot.db.part", "file"),
    ("restore-T/snapshot.db.part", "new"),
    ("restore-T/log", "file"),
    ("restore-T/data", "data"),
    ("restore-T/member", "member"),
    ("restore-T/ready", "new"),
    ("aside-T", ""),
    ("aside-T/member", "member"),
    ("member", "member"),
    ("member", ""),
)


@pytest.mark.parametrize("ready", [False, True], ids=["", "ready"])
@pytest.mark.parametrize(("link", "target"), LINKS, ids=[f"{link}-{target or 'outside'}" for link, target in LINKS])
def test_nothing_outside_is_written_moved_removed_or_read(host, link, target, ready):
    """Of a restore: `snapshot.db.part` was written through, `restore-T` -> a directory was emptied, as root."""
    host.link(host.data / link, host.outside / target if target else host.outside)
    if ready and link != "restore-T":
        host.staging.mkdir(exist_ok=True)
        if not (host.staging / "ready").is_symlink():
            (host.staging / "ready").touch()
    if not (host.staging / "member").exists() and link != "restore-T":
        (host.staging / "member").mkdir(parents=True)
    if not (host.data / "member").is_symlink():
        (host.data / "member").mkdir()
    host.hand_over()
    for act in ACTS:
        done = getattr(host, act)()
        assert host.seen() == host.before, act
        assert b"root's" not in done.stdout or target != "secret"


def test_a_pipe_in_the_place_of_the_file_delays_no_restore(host):
    host.staging.mkdir()
    os.mkfifo(host.staging / "snapshot.db.part")
    host.hand_over()
    assert host.receive().returncode == 0
    assert (host.staging / "snapshot.db").read_bytes() == CONTENT


@pytest.mark.parametrize("owner", ["root", "etcd"])
def test_a_restore_ends_with_all_data_in_the_hands_of_etcd(host, owner):
    """Also where an earlier haplane, whose etcd was root's, has made the old data and begun the restore."""
    (host.data / "member" / "snap").mkdir(parents=True)
    (host.data / "member" / "snap" / "db").write_text("old")
    host.staging.mkdir(mode=0o700)
    (host.data / "member").chmod(0o700)
    if owner == "etcd":
        host.hand_over()
    for act in (*("receive", "rebuild", "switch") * 2, "tidy"):
        done = getattr(host, act)()
        assert done.returncode == 0, done.stderr
        if act == "rebuild" and (host.data / "member" / "snap" / "db").read_text() == "old":
            assert host.print_staged().stdout == CONTENT
    assert (host.data / "member" / "snap" / "db").read_bytes() == CONTENT
    assert (host.aside / "member" / "snap" / "db").read_text() == "old"
    assert not host.staging.exists()
    for path in (host.data, host.data / "member", host.data / "member" / "snap" / "db", host.aside):
        assert path.stat().st_uid == NUMBER, path
    assert stat.S_IMODE(host.data.stat().st_mode) == 0o700


def test_a_member_that_leaves_keeps_its_data_beside(host):
    (host.data / "member").mkdir()
    (host.data / "member" / "kept").touch()
    (host.root / "bootstrapped").touch()
    assert host.move().returncode == 0
    assert host.move().returncode == 0
    assert (host.aside / "member" / "kept").exists()
    assert not (host.data / "member").exists()
    assert not (host.root / "bootstrapped").exists()


@pytest.mark.parametrize("name", ["haplane-drill", "haplane-fill", "member.before-drill", "member.copied", None])
def test_a_drill_that_fills_the_disk_touches_nothing_outside_either(host, name):
    (host.data / "member").mkdir()
    (host.data / "member" / "written").touch()
    (host.root / "state").mkdir()
    if name is not None:
        host.link(host.data / name, host.outside / ("new" if name.startswith("haplane") else "member"))
    host.hand_over()
    fill = host.text("fill_etcd_disk").replace("+ 160", "+ 4")
    seen = 'test -e "$ETCD_DATA/member/written"; stat -c %U "$ETCD_DATA"; stat -f -c %a "$ETCD_DATA"'
    text = f"({fill}\n{seen}) && ({host.text('fill_etcd_disk_undo')})"
    done = host.sh(text, mounts=True)
    assert host.seen() == host.before
    if name is None:
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode().split() == [USER, "0"]
        assert sorted(path.name for path in host.data.iterdir()) == ["member"]
        assert (host.data / "member" / "written").exists()


PLANT = """#!/bin/sh
for to; do :; done
mkdir -p "$to" && ln -s {outside}/file "$to/written"
exec /bin/cp "$@"
"""


def test_a_process_of_etcds_user_that_outlives_its_unit_has_no_undo_write_elsewhere(host):
    """The copy was root's: a link put between `rm` and `cp` into the directory copied to was written through."""
    (host.data / "member").mkdir()
    (host.data / "member" / "written").write_text("etcd's")
    (host.root / "state").mkdir()
    host.hand_over()
    (host.root / "bin" / "planting").write_text(PLANT.format(outside=host.outside))
    fill = host.text("fill_etcd_disk").replace("+ 160", "+ 4")
    plant = f"chmod 755 {host.root}/bin/planting; mv {host.root}/bin/planting {host.root}/bin/cp"
    host.sh(f"({fill}); {plant}; ({host.text('fill_etcd_disk_undo')})", mounts=True)
    assert (host.data / "member.copied" / "written").is_symlink()
    assert host.seen() == host.before


def test_an_undo_takes_no_disk_away_that_the_drill_did_not_mount(host):
    """A file that etcd had put there was the sign: the host's own disk below its data was unmounted."""
    (host.data / "haplane-drill").touch()
    (host.root / "fault" / "under").mkdir()
    (host.root / "fault" / "disk").mkdir()
    host.hand_over()
    mounted = f"mount -t tmpfs tmpfs {host.data}; touch {host.data}/haplane-drill {host.data}/own"
    done = host.sh(f"set -e; {mounted}; ({host.text('fill_etcd_disk_undo')}); test -e {host.data}/own", mounts=True)
    assert done.returncode == 0, done.stderr
