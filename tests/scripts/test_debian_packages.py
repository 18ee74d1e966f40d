"""apt and dpkg whose locks another process holds, as a host's own upgrades by a timer do; a reboot that is owed."""

import os
import subprocess

import pytest

from haplane import scripts
from haplane.scripts import script

HELD = {
    "dpkg": "dpkg: error: dpkg frontend lock was locked by another process with pid 7",
    "apt-get": "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)",
}
SCRIPTS = {
    "upgrade": lambda: script("upgrade_debian_packages"),
    "install": lambda: script("install_debian_packages", ["nftables"], directory=""),
    "install from a directory": lambda: script("install_debian_packages", ["nftables"], directory="/packages"),
}
CLOCK = 'n=$(cat {0}/now)\necho $((n + 50)) > {0}/now\necho "$n"'


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Runs one of the scripts; each program fails so many times with these words. Time passes as it is asked for."""
    (tmp_path / "now").write_text("0\n")
    for name, path in (("DPKG_INFO", tmp_path), ("REBOOT_REQUIRED", tmp_path / "reboot-required")):
        monkeypatch.setitem(scripts.CONSTANTS, name, str(path))

    def run(name, failures, words):
        texts = {"sleep": "", "date": CLOCK.format(tmp_path), "mktemp": f"echo {tmp_path}/printed", "dpkg-query": ""}
        for program in HELD:
            tried = tmp_path / f"{program}.tried"
            texts[program] = (
                f'echo "$*" >> {tried}\n'
                f'if [ "$(wc -l < {tried})" -le {failures} ]; then echo "{words[program]}" >&2; exit 1; fi'
            )
        for program, text in texts.items():
            (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / program).chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        command = ["sh", "-c", SCRIPTS[name]()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": path})
        return done, {one: (tmp_path / f"{one}.tried") for one in HELD}

    return run


@pytest.mark.parametrize("name", SCRIPTS)
def test_locks_are_waited_for(host, name):
    """They were not: dpkg waits for none, and apt for none of those of its lists and downloads."""
    done, _ = host(name, 2, HELD)
    assert done.returncode == 0, done.stderr


def test_what_else_fails_is_not_tried_again(host):
    done, tried = host("upgrade", 2, {"dpkg": "dpkg: error processing package x", "apt-get": ""})
    assert (done.returncode, done.stderr) == (1, "dpkg: error processing package x\n")
    assert len(tried["dpkg"].read_text().splitlines()) == 1


def test_a_lock_that_is_never_free_is_named_with_its_holder(host):
    done, _ = host("upgrade", 1000, HELD)
    assert done.returncode == 1
    assert done.stderr == f"deadline passed: not within 300 s: apt and dpkg are not in use: {HELD['dpkg']}\n"


@pytest.mark.parametrize(
    ("file", "seconds", "owed"),
    [
        ("linux-image-6.1.0-40-amd64.list", 4e9, True),
        ("linux-image-6.1.0-40-amd64.list", 0, False),
        ("linux-headers-6.1.0-40-amd64.list", 4e9, False),
        ("reboot-required", 0, True),
    ],
)
def test_a_reboot_is_owed_until_the_host_boots(host, tmp_path, file, seconds, owed):
    """A run that ended between a new kernel and its reboot left no trace: the next one found no new package.

    Where none is new nothing is printed of any: an empty line was taken for one.
    """
    (tmp_path / file).touch()
    os.utime(tmp_path / file, (seconds, seconds))
    done, _ = host("upgrade", 0, HELD)
    assert done.stdout == ("reboot\n" if owed else "")
