"""The scripts that replace data, run for real, with every step cut off once."""

import subprocess

import pytest

from haplane.operations import restore

SCRIPTS = {
    name: text for name, text in vars(restore).items() if name.isupper() and isinstance(text, str) and "\n" in text
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_one_that_sh_can_read(name):
    subprocess.run(["sh", "-n", "-c", SCRIPTS[name]], check=True)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Old data, new data ready beside it; ``mv`` fails after so many times, as if the power had gone."""
    data, staging = tmp_path / "etcd", tmp_path / "etcd" / "restore-1"
    (data / "member").mkdir(parents=True)
    (data / "member" / "old").touch()
    (staging / "member").mkdir(parents=True)
    (staging / "member" / "new").touch()
    (staging / "ready").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    left = tmp_path / "left"
    for name, body in {
        "systemctl": "exit 0",
        "mv": f'n=$(cat {left}); [ $n -gt 0 ] || exit 1; echo $((n - 1)) > {left}; exec /bin/mv "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def switch(renames: int = 99) -> int:
        left.write_text(str(renames))
        words = (str(data), str(staging), str(data / "aside-1"))
        return subprocess.run(["sh", "-c", restore.SWITCH, "sh", *words], check=False).returncode

    return data, switch


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_switch_that_is_cut_off_anywhere_is_completed_by_the_next(machine, renames):
    data, switch = machine
    assert (switch(renames) == 0) is (renames == 2)
    for _ in range(2):
        assert switch() == 0
        assert [file.name for file in (data / "member").iterdir()] == ["new"]
        assert [file.name for file in (data / "aside-1" / "member").iterdir()] == ["old"]


def test_nothing_is_moved_before_the_new_data_is_whole(machine):
    data, switch = machine
    (data / "restore-1" / "ready").unlink()
    assert switch() != 0
    assert (data / "member" / "old").exists()


def test_what_was_written_since_is_never_moved_away(machine):
    data, switch = machine
    assert switch() == 0
    (data / "member" / "written-since").touch()
    assert switch() == 0
    assert (data / "member" / "written-since").exists()


CTR = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
*version*) exit {version} ;;
*'containers list'*) echo a; echo b ;;
*'tasks list'*) echo 'TASK PID STATUS'; for id in a b c; do test -e {log}.$id || echo "$id 1 RUNNING"; done ;;
*'tasks kill'*) for id; do :; done; touch {log}.$id ;;
esac
"""


@pytest.fixture
def master(tmp_path, monkeypatch):
    """A master whose containers a and b are the control plane's, and c is somebody else's."""
    log = tmp_path / "ctr.log"
    programs = tmp_path / "bin"
    programs.mkdir()

    def write(name, text):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    write("systemctl", "#!/bin/sh\nexit 0\n")
    write("ctr", CTR.format(log=log, version=0))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    manifest, aside = tmp_path / "manifest.yaml", tmp_path / "aside.yaml"
    manifest.touch()

    def stop():
        words = (str(manifest), str(aside))
        return subprocess.run(["sh", "-c", restore.STOP_SERVING, "sh", *words], check=False, timeout=20).returncode

    return stop, write, log, manifest, aside


def test_the_control_plane_is_killed_and_nothing_else_and_its_manifest_waits(master):
    stop, _, log, manifest, aside = master
    for _ in range(2):
        assert stop() == 0
        assert (manifest.exists(), aside.exists()) == (False, True)
    assert [path.suffix for path in sorted(log.parent.glob("ctr.log.*"))] == [".a", ".b"]
    assert "container.name" in log.read_text()


def test_without_containerd_nobody_believes_that_everything_has_stopped(master):
    stop, write, log, *_ = master
    write("ctr", CTR.format(log=log, version=1))
    assert stop() != 0
