"""Loading a manifest: what is damaged is named, with the command that cures it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.bundle.manifest import BundleFile, Manifest, default_directory, load_manifest
from haplane.errors import BadInput


def manifest(stored: str = "files/tool.zst") -> Manifest:
    file = BundleFile.model_construct(
        component="tool",
        path="/usr/local/bin/tool",
        sha256="0" * 64,
        size=5,
        mode=0o755,
        stored=stored,
        stored_size=3,
        compression="zstd",
        roles=("master",),
    )
    return Manifest.model_construct(
        kubernetes_version="1.35.4",
        etcd_version="3.6.16",
        architecture="amd64",
        source="modules",
        versions={"tool": "1"},
        checksums={"tool": "pinned"},
        files=(file,),
        images=(),
    )


def write(directory: Path, text: str) -> None:
    (directory / "files").mkdir()
    (directory / "files" / "tool.zst").write_bytes(b"123")
    (directory / "manifest.json").write_text(text)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, manifest().model_dump_json())
    assert load_manifest(tmp_path) == manifest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("{}", "damaged"),
        ('{"format": 2}', "damaged"),
        (manifest("../../etc/passwd").model_dump_json(), "inside the bundle"),
        (manifest("/etc/passwd").model_dump_json(), "inside the bundle"),
        (manifest("files/absent.zst").model_dump_json(), "missing or cut short"),
    ],
)
def test_a_damaged_one_is_refused_with_the_cure(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_manifest(tmp_path, "haplane bundle build inventory.py")
    assert words in str(caught.value)
    assert caught.value.next_step == "`haplane bundle build inventory.py`"


def test_the_default_place_follows_the_cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory("1.35.4") == tmp_path / "haplane" / "bundles" / "1.35.4-amd64"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory("1.35.4") == tmp_path / ".cache" / "haplane" / "bundles" / "1.35.4-amd64"


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["x" * 5000, "a\0b", "/", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*Manifest.model_fields, *BundleFile.model_fields]), VALUES)
def test_whatever_a_manifest_holds_it_loads_or_is_bad_input(tmp_path_factory, field, value):
    document = manifest().model_dump(mode="json")
    place = document if field in document else document["files"][0]
    directory = tmp_path_factory.getbasetemp() / "fuzzed"
    directory.mkdir(exist_ok=True)
    (directory / "manifest.json").write_text(
        json.dumps(place | {field: value} if place is document else document | {"files": [place | {field: value}]})
    )
    try:
        assert isinstance(load_manifest(directory), Manifest)
    except BadInput as error:
        assert error.next_step
