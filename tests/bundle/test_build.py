"""Bundles made for real from a small lock: fetched from a mirror, and built by go from two tiny modules."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from haplane import supported
from haplane.bundle import lock as lock_module
from haplane.bundle.build import build
from haplane.bundle.lock import Lock, ModulePins, OfficialPins, load_lock
from haplane.bundle.lock_text import lock_text
from haplane.bundle.manifest import Manifest, Source, load_manifest
from haplane.bundle.verify import verify
from haplane.cli.bundle import command
from haplane.domain.progress import Progress, silent
from haplane.errors import BadInput, HaplaneError, Locked, Refused

from .conftest import Mirror, everything_below, site_of

PROGRAM = b"\x7fELF program" * 5000
COMPONENTS = """
[etcd.files]
etcd = { path = "/usr/local/bin/etcd", roles = ["etcd"] }
[etcd.modules]
packages = ["haplane.invalid/etcd"]
variables = { "main.version" = "v{version}" }
[[etcd.images]]
reference = "site.test/etcd:v3.0.0"
roles = ["master"]
content = { etcd = "/etcd" }
entrypoint = ["/etcd"]
[[etcd.downloads]]
url = "https://site.test/etcd-{version}-{arch}.tar.gz"
members = { etcd = "etcd-{version}/etcd" }

[tool.files]
tool = { path = "/opt/bin/tool", roles = ["etcd", "worker"] }
[tool.modules]
packages = ["haplane.invalid/tool"]
[[tool.downloads]]
url = "https://site.test/tool"
published = "https://site.test/tool.sha256"
members = { tool = "" }
"""
MAIN = 'package main\n\nvar version = "unknown"\n\nfunc main() { println(version) }\n'


def archive_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def publish_image(mirror: Mirror) -> None:
    config = b"{}"
    sha256 = mirror.add("site.test/v2/etcd/blobs/placeholder", config)
    mirror.add(f"site.test/v2/etcd/blobs/sha256:{sha256}", config)
    media_type = "application/vnd.oci.image.config.v1+json"
    descriptor = {"mediaType": media_type, "digest": f"sha256:{sha256}", "size": len(config)}
    mirror.add("site.test/v2/etcd/manifests/v3.0.0", json.dumps({"config": descriptor, "layers": []}).encode())


@pytest.fixture
def lock(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A lock of two components; the mirror has everything official in it."""
    pinned = tmp_path / "pinned"
    for name in ("etcd", "tool"):
        module = pinned / "modules" / f"{name}-3.0.0"
        module.mkdir(parents=True)
        (module / "go.mod").write_text(f"module haplane.invalid/{name}\n\ngo 1.21\n")
        (module / "main.go").write_text(MAIN)
    archive = mirror.add("site.test/etcd-3.0.1-amd64.tar.gz", archive_of("./etcd-3.0.1/etcd", PROGRAM))
    published = mirror.add("site.test/tool", PROGRAM)
    mirror.add("site.test/tool.sha256", f"{published}  tool\n{'0' * 64}  other\n".encode())
    publish_image(mirror)
    (pinned / "components.toml").write_text(COMPONENTS)
    (pinned / "locks").mkdir()
    official = OfficialPins(
        versions={"etcd": "3.0.1", "tool": "1.0.0"}, sha256={"https://site.test/etcd-3.0.1-amd64.tar.gz": archive}
    )
    modules = ModulePins(versions={"etcd": "3.0.0", "tool": "3.0.0"}, build_date="2026-01-01T00:00:00Z")
    text = lock_text(Lock(kubernetes_version="1.0.0", official=official, modules=modules), [])
    (pinned / "locks" / "1.0.0.toml").write_text(text)
    monkeypatch.setattr(lock_module, "PINNED", pinned)
    monkeypatch.setattr(supported, "LOCKS", pinned / "locks")
    monkeypatch.setattr(supported, "VERSIONS", ("1.0.0",))
    return mirror


def test_a_mirror_over_http_is_for_what_is_pinned(lock: Mirror, tmp_path: Path) -> None:
    """A kube-apiserver of whoever is on the way was taken without a word."""
    with pytest.raises(Refused, match="over http") as refusal:
        made("official", tmp_path / "bundle", lock, mirror="http://mirror.test")
    assert refusal.value.why is not None
    assert "tool, site.test/etcd:v3.0.0" in refusal.value.why
    assert "etcd-3.0.1-amd64.tar.gz" not in refusal.value.why


def test_a_bundle_is_made_for_us_alone(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "cache" / "haplane" / "bundles" / "1"
    umask = os.umask(0o002)
    try:
        made("official", place, lock)
    finally:
        os.umask(umask)
    for path in (place, *place.parents[:3]):
        assert path.stat().st_mode & 0o777 == 0o700
    load_manifest(place)


@pytest.mark.parametrize("part", [".", "..", "manifest.json", "files/opt/bin", "files/opt/bin/tool.zst"])
def test_a_bundle_that_others_can_change_is_refused(lock: Mirror, tmp_path: Path, part: str) -> None:
    place = tmp_path / "cache" / "bundle"
    made("official", place, lock)
    (place / part).chmod((place / part).stat().st_mode | 0o020)
    with pytest.raises(Refused, match="others can change") as refusal:
        load_manifest(place)
    assert refusal.value.next_step is not None
    assert "chmod go-w" in refusal.value.next_step
    if part in {".", ".."}:
        with pytest.raises(Refused):
            made("official", place, lock)


def test_a_bundle_of_another_user_is_refused(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    made("official", place, lock)
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    os.chown(place / "manifest.json", 12345, 12345)
    with pytest.raises(Refused, match="others can change"):
        load_manifest(place)


def made(
    source: Source, place: Path, site: Mirror, mirror: str | None = None, progress: Progress = silent
) -> Manifest:
    return build(source, place, load_lock("1.0.0"), "amd64", site=site_of(mirror or site.url), progress=progress)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--kubernetes-version", "1.0.0"])


def test_a_bundle_from_a_mirror(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    manifest = made("official", place, lock)
    assert load_manifest(place) == manifest
    assert (manifest.source, manifest.etcd_version) == ("official", "3.0.1")
    assert manifest.checksums == {"etcd": "published", "tool": "published"}
    assert [file.path for file in manifest.needed_by(["worker"])] == ["/opt/bin/tool"]
    assert verify(place, silent) == []
    assert everything_below(place) == [
        ".components/etcd.json",
        ".components/tool.json",
        ".lock",
        "files/opt/bin/tool.zst",
        "files/usr/local/bin/etcd.zst",
        "images/etcd.tar",
        "manifest.json",
    ]


def test_a_second_build_does_nothing_and_says_so(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    made("official", place, lock)
    asked = len(lock.requests)
    said: list[str] = []
    made("official", place, lock, progress=lambda subject, message, fraction=None: said.append(message))
    assert len(lock.requests) == asked
    assert said == ["complete already, nothing to do"]


def test_an_interrupted_build_goes_on_where_it_stopped(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    tool = lock.files.pop("site.test/tool")
    with pytest.raises(HaplaneError, match="404"):
        made("official", place, lock)
    assert [path for path in everything_below(place) if "partial" in path or path.startswith(".scratch")] == []
    with pytest.raises(BadInput, match="no bundle here"):
        load_manifest(place)
    lock.files["site.test/tool"] = tool
    lock.requests.clear()
    made("official", place, lock)
    assert [path for path, _ in lock.requests] == ["site.test/tool.sha256", "site.test/tool"]


@pytest.mark.skipif(shutil.which("go") is None, reason="no go on this machine")
def test_a_bundle_built_by_go(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    manifest = made("modules", place, lock)
    assert (manifest.source, manifest.etcd_version) == ("modules", "3.0.0")
    etcd = manifest.files[0]
    program = tmp_path / "etcd"
    subprocess.run(["zstd", "-q", "-d", place / etcd.stored, "-o", program], check=True)
    program.chmod(0o755)
    assert subprocess.run([program], capture_output=True, check=True).stderr == b"v3.0.0\n"
    assert program.stat().st_size == etcd.size
    assert manifest.images[0].reference == "site.test/etcd:v3.0.0"
    assert verify(place, silent) == []


def test_a_changed_lock_makes_the_component_anew(lock: Mirror, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    made("official", place, lock)
    del lock.files["site.test/tool"]
    path = supported.LOCKS / "1.0.0.toml"
    path.write_text(
        path.read_text().replace('"1.0.0"\n"', '"1.0.1"\n"').replace('"tool" = "1.0.0"', '"tool" = "1.0.1"')
    )
    with pytest.raises(HaplaneError, match="404"):
        made("official", place, lock)


def test_one_build_at_a_time(lock: Mirror, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="another run"):
            made("official", tmp_path, lock)


def test_a_program_missing_from_an_archive_is_named(lock: Mirror, tmp_path: Path) -> None:
    path = lock_module.PINNED / "components.toml"
    path.write_text(COMPONENTS.replace("etcd-{version}/etcd", "bin/etcd"))
    with pytest.raises(HaplaneError, match=r"etcd-3\.0\.1-amd64\.tar\.gz has no program bin/etcd"):
        made("official", tmp_path / "bundle", lock)


def test_a_release_site_without_a_checksum_is_refused(lock: Mirror, tmp_path: Path) -> None:
    lock.files["site.test/tool.sha256"] = b"<html>moved</html>"
    with pytest.raises(HaplaneError, match="no SHA-256 of tool"):
        made("official", tmp_path / "bundle", lock)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_verify_finds_damage_and_names_the_cure(lock: Mirror, tmp_path: Path, damage: str) -> None:
    place = tmp_path / "bundle"
    assert invoke("build", "--mirror", lock.url, "--directory", str(place)).exit_code == 0
    stored = place / "images" / "etcd.tar"
    content = bytearray(stored.read_bytes())
    content[700] ^= 1
    stored.write_bytes(bytes(content) if damage == "flip" else bytes(content[:-1]))
    if damage == "remove":
        stored.unlink()
    result = invoke("verify", "--directory", str(place))
    assert result.exit_code == 2
    assert str(stored) in result.stderr
    cure = f"haplane bundle build --kubernetes-version 1.0.0 --directory {place}"
    assert cure in result.stderr
    stored.unlink(missing_ok=True)
    assert invoke("build", "--mirror", lock.url, "--directory", str(place)).exit_code == 0
    assert invoke("verify", "--directory", str(place)).exit_code == 0


def test_the_command_line(lock: Mirror, tmp_path: Path) -> None:
    place = ["--directory", str(tmp_path / "bundle")]
    before = invoke("list", *place)
    assert before.exit_code == 2
    assert "no bundle here" in before.stderr
    assert "complete" in invoke("build", "--mirror", lock.url, *place).stderr
    assert invoke("verify", *place).exit_code == 0
    listed = invoke("list", *place)
    assert "3.0.1" in listed.stdout
    document = json.loads(invoke("list", "--json", *place).stdout)
    assert document["versions"] == {"etcd": "3.0.1", "tool": "1.0.0"}
    assert invoke("build", "--source", "modules", "--mirror", lock.url, *place).exit_code == 2
