import base64
import io
import json
import logging
import os
import subprocess
import tarfile
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest
import samples
from fake_hosts import commands

from haplane.desired.files import wanted_files
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.operations import files
from haplane.scripts import CONSTANTS, script


def text(wanted):
    return script("place_files", **files.needs(wanted))


LOOK = "stat.S_IMODE(os.stat(path)"
SECRET = WantedFile("/etc/kubernetes/pki/ca.key", b"TOP-SECRET-KEY", Part.CONTROL_PLANE, 0o600, secret=True)
UNIT = WantedFile("/etc/systemd/system/etcd.service", b"[Service]\n", Part.ETCD)
SYSCTL = WantedFile("/etc/sysctl.d/99-haplane.conf", b"net.ipv4.ip_forward = 1\n", Part.HOST)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the script stages files in /run, as root")


def found(*present):
    return {LOOK: [json.dumps({file.path: [file.sha256, file.mode] for file in present})]}


def test_files_that_are_there_are_left_alone():
    assert commands(files.place, found(SECRET, UNIT), files=[SECRET, UNIT]) == []
    assert commands(files.place, {}, files=[]) == []


def test_the_kernels_settings_are_set_again_though_their_file_is_as_it_was():
    [command] = commands(files.place, found(SYSCTL), files=[SYSCTL])
    assert "sysctl -q -e -p" in str(command)


def test_what_is_etcds_comes_with_its_owner_and_the_user_is_there_before():
    key = WantedFile("/etc/etcd/pki/server.key", b"KEY", Part.ETCD, 0o600, secret=True, owner="etcd")
    with tarfile.open(fileobj=io.BytesIO(files.archive([key, SECRET]))) as packed:
        assert [(one.uname, one.gname, one.mode) for one in packed] == [
            ("etcd", "etcd", 0o600), ("root", "root", 0o600),
        ]  # fmt: skip
    made = text([key, SECRET])
    assert made.index("ensure_etcd_user; fi") < made.index("tar -x")
    assert (files.needs([key, SECRET])["owner"], files.needs([SECRET])["owner"]) == ("etcd", "root")


def test_everything_that_differs_goes_in_one_command():
    assert len(commands(files.place, found(), files=[SECRET, UNIT, SYSCTL])) == 1


def test_only_what_reads_a_changed_file_is_told():
    for present, changed, needed in (
        ((UNIT,), [SECRET, UNIT], ("no", "no")),
        ((), [UNIT], ("no", "yes")),
        ((), [SYSCTL], ("yes", "no")),
    ):
        [command] = commands(files.place, found(*present), files=changed)
        read = {name: "yes" if f"{name}='\"'\"'yes" in command else "no" for name in ("kernel", "units")}
        assert (read["kernel"], read["units"]) == needed


def test_a_secret_is_in_no_command_no_repr_and_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    ran = commands(files.place, found(), files=[SECRET])
    said = "\n".join([*ran, caplog.text, repr(SECRET), str([SECRET])])
    for form in (b"TOP-SECRET-KEY", base64.b64encode(SECRET.content)):
        assert form.decode() not in said


def test_a_file_with_the_right_content_and_a_wrong_mode_is_placed_again():
    looser = {LOOK: [json.dumps({SECRET.path: [SECRET.sha256, 0o644]})]}
    assert commands(files.place, looser, files=[SECRET])


def test_the_archive_is_whole_relative_and_without_times():
    with tarfile.open(fileobj=io.BytesIO(files.archive([SECRET, UNIT]))) as members:
        assert [(one.name, one.mode, one.mtime, one.uid) for one in members] == [
            ("etc/kubernetes/pki/ca.key", 0o600, 0, 0),
            ("etc/systemd/system/etcd.service", 0o644, 0, 0),
        ]
    assert files.archive([SECRET]) == files.archive([SECRET])


@as_root
def test_the_script_places_files_for_real(tmp_path):
    """Run by a real shell: content, modes, directories, and nothing left beside them."""
    wanted = [
        WantedFile(f"{tmp_path}/new/deep/secret", b"\x00binary\n\xff", Part.HOST, 0o600, secret=True),
        WantedFile(f"{tmp_path}/with space", b"text\n", Part.HOST, 0o755),
    ]
    (tmp_path / "with space").write_text("older")
    subprocess.run(["sh", "-c", text(wanted)], input=base64.b64encode(files.archive(wanted)), check=True)
    for file in wanted:
        assert Path(file.path).read_bytes() == file.content
    modes = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
    assert modes == {"new": 0o755, "deep": 0o755, "secret": 0o600, "with space": 0o755}


@as_root
def test_whatever_others_wrote_in_place_of_ours_is_kept(tmp_path, monkeypatch):
    """Debian's file is there before haplane; later a GPU's installer writes containerd's configuration anew."""
    path = tmp_path / "config.toml"
    monkeypatch.setitem(CONSTANTS, "CONTAINERD_CONFIG_TOML", str(path))
    ours = WantedFile(str(path), b"# Written by haplane.\nversion = 3\n", Part.HOST)
    for found in ("debian", "debian", ours.content.decode() + "older", "nvidia"):
        path.write_text(found)
        subprocess.run(["sh", "-c", text([ours])], input=base64.b64encode(files.archive([ours])), check=True)
        assert path.read_bytes() == ours.content
    kept = sorted(tmp_path.glob("config.toml.*"))
    assert [(one.name, one.read_text()) for one in kept] == [
        ("config.toml.before-haplane", "nvidia"),
        ("config.toml.before-haplane.~1~", "debian"),
    ]


@as_root
def test_a_cut_stream_places_nothing(tmp_path):
    wanted = [WantedFile(f"{tmp_path}/file", b"x" * 4096, Part.HOST)]
    cut = base64.b64encode(files.archive(wanted))[:1000]
    done = subprocess.run(["sh", "-c", text(wanted)], input=cut, capture_output=True, check=False)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


@as_root
def test_what_the_kernel_did_not_take_up_is_not_there_for_the_next_run_either(tmp_path):
    """Else a run that ended between the two would leave a host that looks right and does not forward."""
    sysctl = tmp_path / "sysctl"
    sysctl.write_text("#!/bin/sh\ntest -s etc/sysctl.d/99-haplane.conf && exit 41\n")
    sysctl.chmod(0o755)
    other = WantedFile(f"{tmp_path}/other", b"text", Part.HOST)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    sent = base64.b64encode(files.archive([other, SYSCTL]))
    done = subprocess.run(["sh", "-c", text([other, SYSCTL])], input=sent, check=False, env=environment)
    assert done.returncode == 41
    assert list(tmp_path.iterdir()) == [sysctl]


@as_root
def test_a_users_drop_in_of_containerd_survives_and_is_read(tmp_path, monkeypatch):
    """haplane has no file in that directory, and its own configuration imports it."""
    inventory = samples.inventory(workers=1)
    found = wanted_files(inventory, inventory.host("w1"), interface="eth1", etcd_token="test-0", pause_image="pause")
    directory = "/etc/containerd/conf.d"
    assert not [file.path for file in found if file.path.startswith(f"{directory}/")]
    [ours] = [file for file in found if file.path == host_paths.CONTAINERD_CONFIG_TOML]
    imports = tomllib.loads(ours.content.decode())["imports"]
    assert any(fnmatch(f"{directory}/99-gpu.toml", pattern) for pattern in imports)
    drop_in = tmp_path / "etc/containerd/conf.d/99-gpu.toml"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("# the user's\n")
    monkeypatch.setitem(CONSTANTS, "CONTAINERD_CONFIG_TOML", f"{tmp_path}{ours.path}")
    placed = replace(ours, path=f"{tmp_path}{ours.path}")
    for _ in range(2):
        subprocess.run(["sh", "-c", text([placed])], input=base64.b64encode(files.archive([placed])), check=True)
        assert drop_in.read_text() == "# the user's\n"
    assert sorted(path.name for path in drop_in.parent.parent.iterdir()) == ["conf.d", "config.toml"]
