"""A bundle in one file: the same on the other side, and nothing of a file that is not one."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from haplane.bundle.compress import file_sha256
from haplane.bundle.manifest import Manifest, load_manifest
from haplane.bundle.transfer import export_bundle, import_bundle
from haplane.bundle.verify import verify
from haplane.cli.bundle import command
from haplane.domain.progress import silent
from haplane.errors import BadInput, HaplaneError, Problems

from .conftest import everything_below

CONTENT = b"a program" * 1000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two files, neither compressed."""
    directory = tmp_path / "made"
    files = []
    for name in ("a", "b"):
        path = directory / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(CONTENT + name.encode())
        files.append(
            {
                "component": name, "path": f"/{name}", "sha256": file_sha256(path), "size": path.stat().st_size,
                "mode": 0o755, "stored": f"files/{name}", "stored_size": path.stat().st_size, "compression": "none",
                "roles": ["master"],
            }
        )  # fmt: skip
    manifest = {
        "kubernetes_version": "1.0.0", "etcd_version": "3.0.0", "architecture": "amd64", "source": "modules",
        "versions": {"a": "1", "b": "1"}, "checksums": {"a": "pinned", "b": "pinned"}, "files": files, "images": [],
    }  # fmt: skip
    (directory / "manifest.json").write_text(Manifest.model_validate(manifest).model_dump_json())
    return directory


def repacked(source: Path, target: Path, change) -> Path:
    """The exported file with its members changed: ``change`` gets and gives a dictionary of names to contents."""
    with tarfile.open(source) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    with tarfile.open(target, "w") as archive:
        for name, content in change(members).items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
                continue
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target


def altered(members: dict[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The manifest with every ``before`` replaced."""
    return {**members, "manifest.json": members["manifest.json"].replace(before.encode(), after.encode())}


def test_what_was_exported_is_imported(bundle: Path, tmp_path: Path) -> None:
    exported = export_bundle(bundle, tmp_path / "bundle.tar", silent)
    there = tmp_path / "there"
    assert import_bundle(tmp_path / "bundle.tar", there, silent) == exported
    assert load_manifest(there) == load_manifest(bundle)
    assert verify(there, silent) == []
    assert there.stat().st_mode & 0o777 == 0o700
    import_bundle(tmp_path / "bundle.tar", there, silent)  # again: over what is there
    with pytest.raises(BadInput, match="exists already"):
        export_bundle(bundle, tmp_path / "bundle.tar", silent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: {**members, "files/a": CONTENT + b"!"}, "do not match the manifest"),
        (lambda members: {**members, "files/a": b"short"}, "does not match the manifest"),
        (lambda members: {**members, "../outside": b""}, "does not match the manifest"),
        (lambda members: {**members, "files/a": None}, "does not match the manifest"),
        (lambda members: {name: members[name] for name in members if name != "files/b"}, "has no files/b"),
        (lambda members: {name: members[name] for name in reversed(members)}, "does not begin with manifest.json"),
        (lambda members: {**members, "manifest.json": b"{}"}, "its manifest"),
        (lambda members: {}, "does not begin with"),
        (lambda members: altered(members, '"1.0.0"', '"/etc/1.0.0"'), "kubernetes_version"),
        (lambda members: altered(members, '"amd64"', '"/../../outside"'), "architecture"),
        (lambda members: altered(members, '"files/a"', '"../outside"'), "a path inside the bundle"),
        (lambda members: altered(members, '"files/a"', '".lock"'), "a path inside the bundle"),
    ],
    ids=[
        *("flipped", "short", "outside", "link", "missing", "order", "manifest", "empty"),
        *("version", "architecture", "stored outside", "stored over ours"),
    ],
)
def test_what_is_no_bundle_is_refused(bundle: Path, tmp_path: Path, change, words: str) -> None:
    export_bundle(bundle, tmp_path / "bundle.tar", silent)
    broken = repacked(tmp_path / "bundle.tar", tmp_path / "broken.tar", change)
    there = tmp_path / "there"
    with pytest.raises(HaplaneError, match=words):
        import_bundle(broken, there, silent)
    assert "manifest.json" not in everything_below(there)
    assert not (tmp_path / "outside").exists()


def test_where_an_imported_bundle_goes_is_not_for_its_manifest_to_say(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version with slashes led to any directory of the user's, where files were written before any was hashed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    export_bundle(bundle, tmp_path / "bundle.tar", silent)
    hostile = repacked(
        tmp_path / "bundle.tar",
        tmp_path / "hostile.tar",
        lambda members: altered(members, '"1.0.0"', f'"{tmp_path}/home"'),
    )
    result = invoke("import", str(hostile))
    assert (result.exit_code, "kubernetes_version" in result.stderr) == (2, True)
    assert not list(tmp_path.glob("home*"))


def test_a_file_of_holes_does_not_fill_the_disk(bundle: Path, tmp_path: Path) -> None:
    size = len(CONTENT) + 1
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(bundle / "manifest.json", "manifest.json")
        holes = tarfile.TarInfo("files/a")
        holes.pax_headers = {"GNU.sparse.map": f"{size},0", "GNU.sparse.size": str(size)}
        archive.addfile(holes)
    with pytest.raises(BadInput, match="is sparse"):
        import_bundle(tmp_path / "sparse.tar", tmp_path / "there", silent)
    assert everything_below(tmp_path / "there") == [".lock"]


def test_every_file_that_is_damaged_is_named(bundle: Path, tmp_path: Path) -> None:
    export_bundle(bundle, tmp_path / "bundle.tar", silent)
    broken = repacked(
        tmp_path / "bundle.tar", tmp_path / "broken.tar", lambda members: {**members, "files/b": CONTENT + b"c"}
    )
    with pytest.raises(Problems, match=r"1 files do not match[\s\S]*/b is damaged[\s\S]*bundle import"):
        import_bundle(broken, tmp_path / "there", silent)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(600)])
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadInput, match="not a complete bundle"):
        import_bundle(tmp_path / "file", tmp_path / "there", silent)


def test_a_cut_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar"
    export_bundle(bundle, target, silent)
    target.write_bytes(target.read_bytes()[:11_000])
    with pytest.raises(HaplaneError):
        import_bundle(target, tmp_path / "there", silent)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_the_command_line(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    target = str(tmp_path / "bundle.tar")
    exported = json.loads(invoke("export", target, "--directory", str(bundle), "--json").stdout)
    result = invoke("import", target)
    assert result.exit_code == 0, result.output
    assert exported["manifest_sha256"] in result.stdout
    assert load_manifest(tmp_path / "cache/haplane/bundles/1.0.0-amd64") == load_manifest(bundle)
    assert invoke("import", target, "--directory", str(tmp_path / "elsewhere"), "--json").exit_code == 0


def test_an_inventory_says_which_bundle(bundle: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "prod.py"
    inventory.write_text(
        'masters = [(f"m{n}", {"address": f"10.0.0.{n}"}) for n in (1, 2, 3)]\n'
        'load_balancers = [("lb", {"address": "10.0.0.9"})]\n'
        'cluster = {"name": "prod", "endpoint": "10.0.0.10:6443", "bundle": "made", "bundle_lock": "none.toml",\n'
        '    "kubernetes_version": "1.36.99"}\n'
    )
    assert invoke("list", str(inventory)).exit_code == 0
    assert "none.toml" in invoke("urls", str(inventory)).stderr
    both = invoke("list", str(inventory), "--kubernetes-version", "1.36.3")
    assert both.exit_code == 2
    assert "leave out --kubernetes-version" in both.stderr
