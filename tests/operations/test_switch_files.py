"""Staged files take their places and give them back, whole, with what is recorded of them."""

import errno
import json
from hashlib import sha256
from pathlib import Path

import pytest

from haplane.facts.on_host import machine
from haplane.operations.on_host import switch_files

NAMES = "abc"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """a and b are used and c is new; all three are staged, and b is the same. Digests are recorded, and made up."""
    used, stamps = tmp_path / "used", {}
    staged = {f"{tmp_path}/new{used}/{name}": text for name, text in (("a", "a2"), ("b", "same"), ("c", "c2"))}
    for path, text in {**staged, f"{used}/a": "a1", f"{used}/b": "same"}.items():
        (file := tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        seen = file.stat()
        digest = text.encode().hex().zfill(64)
        stamps[path] = {"seen": [seen.st_size, seen.st_mtime_ns, seen.st_ino], "sha256": digest}
    (tmp_path / "stamps.json").write_text(json.dumps(stamps))
    for module in (switch_files, machine):
        monkeypatch.setattr(module, "STAMPS", str(tmp_path / "stamps.json"))

    def run(verb, *names):
        paths = [f"{used}/{name}" for name in names or NAMES]
        monkeypatch.setattr("sys.argv", ["", verb, f"{tmp_path}/new", f"{tmp_path}/old", *paths])
        switch_files.main()
        return {name: (used / name).read_text() for name in NAMES if (used / name).exists()}

    run.used = used
    return run


def test_switched_twice_the_old_ones_are_still_kept_and_come_back(host):
    new = {"a": "a2", "b": "same", "c": "c2"}
    assert host("switch") == new
    assert host("switch") == new
    assert host("back") == {"a": "a1", "b": "same", "c": "c2"}
    assert host("back") == {"a": "a1", "b": "same", "c": "c2"}


def test_what_is_recorded_goes_with_the_files(host):
    """Nothing is hashed again: the digests are those that were recorded, which are made up."""
    for verb, text in (("switch", "a2"), ("back", "a1")):
        host(verb)
        path = str(host.used / "a")
        assert machine.bundle_files([path]) == {path: text.encode().hex().zfill(64)}


def test_a_disk_that_is_full_leaves_everything_as_it_was(host, monkeypatch):
    """A copy to another file system, as /usr may be; half of it stayed there, and took what room was left."""

    def half(_, target):
        Path(target).write_text("a")
        raise OSError(errno.ENOSPC, "No space left on device", target)

    before = {file.name: file.read_text() for file in host.used.iterdir()}
    with monkeypatch.context() as full:
        full.setattr(switch_files, "linked", lambda *_: False)
        full.setattr(switch_files.shutil, "copy2", half)
        with pytest.raises(SystemExit, match="No space left on device"):
            host("switch")
    assert {file.name: file.read_text() for file in host.used.iterdir()} == before
    assert not list(host.used.parent.rglob("*.haplane-new"))
    assert host("switch") == {"a": "a2", "b": "same", "c": "c2"}


def test_programs_change_their_places_though_no_record_of_it_can_be_written(host, monkeypatch):
    """A name needs no room, the record does: on a full disk the way back ended in a traceback, half of it done."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    host("switch")
    with monkeypatch.context() as disk:
        disk.setattr(switch_files.json, "dump", full)
        assert host("back")["a"] == "a1"
    assert not list(host.used.parent.glob("stamps.json.new"))
    path = str(host.used / "a")
    assert machine.bundle_files([path]) == {path: sha256(b"a1").hexdigest()}, (
        "hashed, as nothing fits that is recorded"
    )


def test_on_another_file_system_it_is_copied(host, monkeypatch):
    def no_link(*_):
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(switch_files.os, "link", no_link)
    assert host("switch") == {"a": "a2", "b": "same", "c": "c2"}
    path = str(host.used / "a")
    assert machine.bundle_files([path]) == {path: b"a2".hex().zfill(64)}


def test_configuration_does_not_change_when_the_staged_file_goes(host):
    """Real masters restarted twice: the end of a hard link set the time by which a file counts as not read yet."""
    used = host.used / "configuration"
    staged = host.used.parent / f"new{used}"
    staged.write_text("new")
    host("switch", "configuration")
    before = used.stat().st_ctime_ns
    staged.unlink()
    assert (used.read_text(), used.stat().st_ctime_ns) == ("new", before)
