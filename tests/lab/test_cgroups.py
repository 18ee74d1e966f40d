from __future__ import annotations

from pathlib import Path

from haplane.lab.cgroups import parse

VERSION_1 = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
90 99 0:31 / /mnt/elsewhere rw,relatime - cgroup cgroup rw,cpuset
"""
VERSION_2 = """\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate
"""


def test_version_1_gives_every_hierarchy_once_those_without_a_controller_first() -> None:
    found = parse(VERSION_1)
    assert {one.mount.name for one in found[:2]} == {"systemd", "unified"}
    assert {one.mount for one in found[2:]} == {Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup/cpuset")}
    assert [one.mount.name for one in found if "cpuset" in one.options] == ["cpuset"]


def test_version_2_is_one_hierarchy() -> None:
    (only,) = parse(VERSION_2)
    assert (only.mount, only.kind) == (Path("/sys/fs/cgroup"), "cgroup2")


def test_a_machine_without_cgroups_has_none() -> None:
    assert parse("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n") == ()
