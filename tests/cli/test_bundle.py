"""Remedies of `haplane bundle` name the bundle that the command is about."""

import pytest
import samples
from click.testing import CliRunner

from haplane.bundle.manifest import MANIFEST
from haplane.cli.main import cli


def run(*arguments):
    return CliRunner().invoke(cli, ["bundle", *map(str, arguments)])


def an_inventory(tmp_path, **settings):
    masters = [(f"m{number}", {"address": f"10.0.0.2{number}"}) for number in (1, 2, 3)]
    path = tmp_path / "inventory.py"
    cluster = {"name": "c", "endpoint": "10.0.0.9:6443", "endpoint_is_external": True} | settings
    path.write_text(f"masters = {masters!r}\ncluster = {cluster!r}\n")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("given", "advised"),
    [
        (
            ("--kubernetes-version", "1.35.4", "--architecture", "arm64"),
            "--kubernetes-version 1.35.4 --architecture arm64",
        ),
        (("--kubernetes-version", "1.37.2"), "--source modules --kubernetes-version 1.37.2"),
        (("--directory", "/nowhere/my bundle"), "--kubernetes-version 1.36.3 --directory '/nowhere/my bundle'"),
    ],
)
@pytest.mark.parametrize("verb", ["list", "verify"])
def test_what_is_absent_is_built_by_the_command_that_is_named(verb, given, advised):
    found = run(verb, *given)
    assert found.exit_code == 2
    assert f"next: `haplane bundle build {advised}`\n" in found.stderr


def test_with_an_inventory_its_path_says_which(tmp_path):
    path = an_inventory(tmp_path, kubernetes_version="1.37.2")
    assert f"next: `haplane bundle build --source modules {path}`\n" in run("verify", path).stderr


def test_a_bundle_of_another_version_than_the_inventory_wants_is_not_called_fine(tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / MANIFEST).write_text(samples.manifest().model_dump_json())
    for file in samples.manifest().everything():
        (bundle / file.stored).write_bytes(b"x")
    found = run("verify", an_inventory(tmp_path, kubernetes_version="1.36.4", bundle=str(bundle)))
    assert found.exit_code == 2
    assert "the bundle is of another Kubernetes version" in found.stderr


def test_urls_of_a_version_that_is_built_from_modules():
    found = run("urls", "--kubernetes-version", "1.37.2")
    assert found.exit_code == 2
    assert "haplane bundle build --source modules --kubernetes-version 1.37.2" in found.stderr


def test_what_is_no_version_is_not_advised_to_be_pinned():
    found = run("urls", "--kubernetes-version", "foo")
    assert "'foo' is not a version" in found.stderr
    assert "pin" not in found.stderr


def test_a_lock_that_could_not_be_written_is_refused_before_anything_is_fetched(tmp_path):
    found = run("pin", "1.36.3", "--output", tmp_path / "absent" / "lock.toml", "--mirror", "http://127.0.0.1:9")
    assert found.exit_code == 2
    assert "the lock could not be written here" in found.stderr
    assert "next attempt" not in found.stderr
