"""A machine after `haplane reset` is what it was before `haplane up`, but for what docs/reset.md says is kept."""

import json
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.soak]

HOSTS = ("s1", "w1")
LOOK = r"""
import glob, hashlib, json, os, stat, subprocess

def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout

def kind(path):
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    text = open(path, "rb").read() if stat.S_ISREG(status.st_mode) else b""
    return hashlib.sha256(text).hexdigest()[:12] + " " + oct(status.st_mode)

TREES = ("/etc", "/opt", "/root", "/usr/local", "/usr/libexec", "/var/lib", "/var/log", "/run")
DEEP = ("/etc", "/opt", "/usr/local", "/usr/libexec")
found = {"files": {}}
for top in TREES:
    for path in glob.glob(top + ("/**" if top in DEEP else "/*"), recursive=True, include_hidden=True):
        found["files"][path] = kind(path) if top in DEEP else "there"
found["units"] = {
    line.split()[0]: line.split()[1]
    for line in run("systemctl", "list-unit-files", "--no-legend", "--plain", "--type=service,timer").splitlines()
}
found["active"] = {
    line.split()[0]: line.split()[2]
    for line in run("systemctl", "list-units", "--no-legend", "--plain", "--type=service,timer").splitlines()
}
found["mounts"] = {" ".join(line.split()[:3]): "" for line in open("/proc/mounts")}
found["rules"] = {line: "" for line in run("nft", "list", "ruleset").splitlines() if "{" in line}
found["links"] = {link["ifname"]: "" for link in json.loads(run("ip", "-j", "link"))}
links = json.loads(run("ip", "-j", "address"))
found["addresses"] = {link["ifname"] + " " + held["local"]: "" for link in links for held in link["addr_info"]}
found["routes"] = {line.strip(): "" for line in run("ip", "route", "show", "table", "all").splitlines()}
found["processes"] = {
    name: "" for name in (open(path).read().strip() for path in glob.glob("/proc/[0-9]*/comm"))
    if name.startswith(("kube", "etcd", "containerd", "haproxy", "keepalived", "flannel", "coredns", "pause"))
}
print(json.dumps(found))
"""


def look(lab, name):
    """Once the kernel has settled its own addresses."""
    assert lab.run(name, "while ip -6 address | grep -q tentative; do sleep 0.2; done").returncode == 0
    said = lab.run(name, f"python3 - <<'END'\n{LOOK}\nEND")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def differences(before, after):
    """``+`` what is new, ``-`` what is gone, ``~`` what is not as it was."""
    found = []
    for part, old in before.items():
        new = after[part]
        found += [f"{part} + {key}" for key in new.keys() - old.keys()]
        found += [f"{part} - {key}" for key in old.keys() - new.keys()]
        found += [f"{part} ~ {key}" for key in old.keys() & new.keys() if old[key] != new[key]]
    return sorted(found)


def documented(root):
    """The patterns of docs/reset.md: what may differ."""
    block = (root / "docs" / "reset.md").read_text().split("```text\n")[1].split("```")[0]
    return [re.compile(line) for line in block.splitlines()]


def test_a_machine_is_what_it_was_and_can_be_used_again(small):
    before = {name: look(small, name) for name in HOSTS}
    small.haplane("up", small.path, "--yes")
    assert small.wait_until_healthy()["healthy"]
    assert "nothing was changed" in small.fails("reset", small.path, "--confirm", "another", code=2)
    assert small.status()["healthy"]

    aside = json.loads(small.haplane("reset", small.path, "--confirm", "small", "--json"))["kept_in"]
    kept = documented(Path(small.root))
    for name in HOSTS:
        found = differences(before[name], look(small, name))
        assert not [line for line in found if not any(pattern.fullmatch(line) for pattern in kept)], name
    data = small.run(
        "s1", f"test -d {aside}/var/lib/etcd/member/wal && stat -c %a {aside}/etc/kubernetes/pki/ca.key {aside}"
    )
    assert data.stdout.split() == ["600", "700"]

    small.haplane("up", small.path, "--yes")
    assert small.wait_until_healthy()["healthy"]
