"""The lock is complete and agrees with itself: whichever source is asked gives every file and image."""

from __future__ import annotations

from pathlib import Path

import pytest

from haplane.bundle import lock as lock_module
from haplane.bundle.lock import Component, Lock, load_lock, supported_versions
from haplane.errors import BadInput

COMPONENTS = [component for version in supported_versions() for component in load_lock(version).components]


@pytest.fixture(params=supported_versions())
def lock(request: pytest.FixtureRequest) -> Lock:
    return load_lock(request.param)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_both_sources_give_every_program(component: Component) -> None:
    downloaded = {name for download in component.official.downloads for name in download.members}
    assert set(component.files) <= downloaded
    packed = {name for image in component.images for name in image.content}
    assert set(component.files) | packed == set(component.modules.outputs())


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_go_sum_pins_the_version_the_lock_names(component: Component) -> None:
    if not component.modules.packages:
        return
    required = (component.module_directory / "go.mod").read_text().split()
    sums = (component.module_directory / "go.sum").read_text()
    version = f"v{component.modules.version}"
    assert version in required
    assert any(line.split()[1:2] == [version] and " h1:" in line for line in sums.splitlines())


def test_destinations_and_archives_are_distinct(lock: Lock) -> None:
    paths = [destination.path for component in lock.components for destination in component.files.values()]
    images = [image.name for component in lock.components for image in component.images]
    assert len(set(paths)) == len(paths)
    assert len(set(images)) == len(images)


def test_the_images_are_those_kubeadm_asks_for(lock: Lock) -> None:
    """`kubeadm config images list` of the same version, without etcd, which is no static pod here."""
    version = lock.kubernetes_version
    references = {image.reference for component in lock.components for image in component.images}
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    assert {f"registry.k8s.io/{program}:v{version}" for program in programs} < references


def test_a_version_without_a_lock_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(BadInput, match=r"1\.35\.4"):
        load_lock("1.2.3")


def test_any_change_of_what_is_pinned_changes_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = next(component for component in COMPONENTS if component.name == "age")
    source = component.module_directory
    monkeypatch.setattr(lock_module, "PINNED", tmp_path)
    copy = component.module_directory
    copy.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (copy / name).write_bytes((source / name).read_bytes())
    before = component.fingerprint("modules"), component.fingerprint("official")
    with (copy / "go.sum").open("a") as sums:
        sums.write("example.test/other v1.0.0 h1:\n")
    after = component.fingerprint("modules"), component.fingerprint("official")
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert before[0] != before[1]
