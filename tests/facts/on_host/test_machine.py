"""What was pushed to a host and made there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import samples
from observing import observe

from haplane.domain import host_paths
from haplane.facts import host_report
from haplane.facts.on_host import machine

SERVER = f"{host_paths.ETCD_PKI}/server"
CONTENT_SHA256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


@pytest.mark.parametrize(("text", "made"), [("[]", {}), ('{"/a": "x"}', {}), ("{", {}), (None, {})])
def test_a_note_of_what_kubeadm_made_that_cannot_be_read_is_none(tmp_path, text, made):
    note = tmp_path / "made.json"
    if text is not None:
        note.write_text(text)
    assert observe(moved={"/var/lib/haplane/made.json": note}).made == made


def test_what_kubeadm_made_is_noted_beside_what_was_noted_before(tmp_path):
    note, file = tmp_path / "state" / "made.json", tmp_path / "file"
    script = (Path(host_report.__file__).parents[1] / "operations/on_host/note.py").read_text()
    script = script.replace("/var/lib/haplane/made.json", str(note))
    file.write_text("content")
    for path in (file, tmp_path / "absent", SERVER, sys.executable):
        subprocess.run([sys.executable, "-I", "-S", "-c", script, str(path)], check=True)
    made = observe(moved={"/var/lib/haplane/made.json": note}).made
    assert made[str(file)] == CONTENT_SHA256
    assert set(made) >= {str(file), sys.executable}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"FILE": 1}', '{"FILE": {"seen": SEEN}}', '{"FILE": {"seen": SEEN, "sha256": "x"}}']
)
def test_a_stamp_that_cannot_be_read_has_its_file_hashed(tmp_path, text):
    file, stamps = tmp_path / "file", tmp_path / "stamps.json"
    file.write_text("content")
    status = file.stat()
    seen = json.dumps([status.st_size, status.st_mtime_ns, status.st_ino])
    stamps.write_text(text.replace("FILE", str(file)).replace("SEEN", seen))
    report = observe(moved={"/var/lib/haplane/stamps.json": stamps}, bundle=[str(file)])
    assert report.bundle == {str(file): CONTENT_SHA256}
    assert report.failed == {}


def test_a_stamp_of_the_file_as_it_is_spares_hashing_it(tmp_path):
    file, stamps = tmp_path / "file", tmp_path / "stamps.json"
    file.write_text("content")
    status = file.stat()
    seen = [status.st_size, status.st_mtime_ns, status.st_ino]
    stamps.write_text(json.dumps({str(file): {"seen": seen, "sha256": samples.SHA256}}))
    assert observe(moved={"/var/lib/haplane/stamps.json": stamps}, bundle=[str(file)]).bundle == {
        str(file): samples.SHA256
    }


def test_a_program_that_may_not_be_run_is_as_good_as_none(tmp_path):
    """`chmod -x /opt/cni/bin/*`: the content is the same, and no pod starts."""
    (tmp_path / "bin").mkdir()
    modes = {tmp_path / "bin" / f"of-{mode:o}": mode for mode in (0o755, 0o644, 0o700, 0o777)}
    for file, mode in modes.items():
        file.write_text("content")
        file.chmod(mode)
    assert observe(bundle=[str(file) for file in modes]).bundle == {f"{tmp_path}/bin/of-755": CONTENT_SHA256}


def test_images_are_unknown_where_containerd_is_and_ctr_is_not(tmp_path):
    """Taken for a containerd that does not respond, it was restarted in vain."""
    (tmp_path / "containerd").write_text("")
    moved = {"/usr/local/bin": tmp_path}
    assert observe(moved=moved).failed["images"] == "ctr could not be run: not found in PATH"


def test_what_cannot_be_looked_at_is_unknown_and_not_gone(tmp_path):
    """A disk that fails: without its files a node would be deleted, and without its data a member removed."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("content")
    seen = observe(files=[f"{tmp_path}/file", f"{tmp_path}/file/below", f"{tmp_path}/absent"])
    assert list(seen.files) == [f"{tmp_path}/file"]
    assert "files" not in seen.failed
    failing = observe(
        files=[f"{tmp_path}/file", f"{tmp_path}/loop"], moved={"/var/lib/etcd/member/wal": tmp_path / "loop"}
    )
    assert {"files", "etcd"} <= set(failing.failed)
    assert str(tmp_path) in failing.failed["files"]


def test_a_file_system_of_programs_counts_where_it_is_another(tmp_path):
    assert machine.free_apart(str(tmp_path), str(tmp_path)) is None
    assert machine.free_apart("/proc", str(tmp_path)) == 0
    assert machine.free_apart(str(tmp_path / "absent"), str(tmp_path)) is None
