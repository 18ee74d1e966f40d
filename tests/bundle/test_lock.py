"""The locks are complete and agree with what is published: whichever source gives every file and image."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from haplane import supported
from haplane.bundle import lock as lock_module
from haplane.bundle.lock import ARCHITECTURES, Component, Lock, load_lock, read_lock, versions_of
from haplane.bundle.lock_text import lock_text
from haplane.bundle.recipe import recipes, recipes_of
from haplane.errors import BadInput

PUBLISHED = Path(__file__).parent / "published"
KUBESPRAY, ELSEWHERE = (
    tomllib.loads((PUBLISHED / f"{name}.toml").read_text()) for name in ("kubespray", "elsewhere")
)
BUILT = [part for version in versions_of("modules") for part in load_lock(version).components("modules", "amd64")]
DOWNLOADED = [
    (version, architecture, part)
    for version in versions_of("official")
    for architecture in ARCHITECTURES
    for part in load_lock(version).components("official", architecture)
]
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@pytest.fixture(params=supported.VERSIONS)
def lock(request: pytest.FixtureRequest) -> Lock:
    return load_lock(request.param)


def test_checksums_are_those_that_others_publish() -> None:
    """kubeadm's of 1.35.4 was typed, and wrong in one digit: no official bundle could be made."""
    for version, architecture, part in DOWNLOADED:
        for download in part.downloads:
            program = re.split(r"-v?\d|-linux|\.", download.file_name)[0]
            known = (KUBESPRAY | ELSEWHERE).get(program, {}).get(architecture, {}).get(part.version)
            assert download.sha256 == known, (version, download.url)
            assert known is not None or part.name == "flannel-cni-plugin"


def test_digests_are_those_that_others_have() -> None:
    for _, _, part in DOWNLOADED:
        for image in part.images:
            assert image.digest == ELSEWHERE["digests"].get(image.reference)


def test_the_locks_are_as_their_program_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = {path.name: path.read_text() for path in supported.LOCKS.iterdir()}
    monkeypatch.setattr(supported, "LOCKS", tmp_path)
    runpy.run_path(str(Path(__file__).parents[2] / "tools" / "shipped_locks.py"), run_name="__main__")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == shipped


def test_what_is_not_pinned_has_a_published_checksum() -> None:
    for _, _, part in DOWNLOADED:
        assert all(download.sha256 or download.published for download in part.downloads)


def test_the_images_are_those_kubeadm_asks_for(lock: Lock) -> None:
    version, constants = lock.kubernetes_version, ELSEWHERE["constants"][lock.kubernetes_version]
    expected = {f"registry.k8s.io/{program}:v{version}" for program in PROGRAMS}
    expected |= {
        f"registry.k8s.io/coredns/coredns:v{constants['coredns']}",
        f"registry.k8s.io/pause:{constants['pause']}",
    }
    for pins in filter(None, (lock.official, lock.modules)):
        source = "official" if pins is lock.official else "modules"
        components = lock.components(source, "amd64")
        references = {image.reference for part in components for image in part.images}
        assert {reference for reference in references if "flannel" not in reference} == expected
        assert pins.versions["etcd"].split(".")[:2] == constants["etcd"].split(".")[:2]


def test_kubeadm_of_the_module_has_these_constants() -> None:
    """Where the modules are on this machine: the table is not believed without need."""
    for version, constants in ELSEWHERE["constants"].items():
        path = Path.home() / f"go/pkg/mod/k8s.io/kubernetes@v{version}/cmd/kubeadm/app/constants/constants.go"
        if path.is_file():
            text = path.read_text()
            assert f'CoreDNSVersion = "v{constants["coredns"]}"' in text
            assert f'PauseVersion = "{constants["pause"]}"' in text
            assert f'DefaultEtcdVersion = "{constants["etcd"]}-0"' in text


@pytest.mark.parametrize("component", BUILT, ids=lambda part: f"{part.name}-{part.version}")
def test_go_builds_every_program(component: Component) -> None:
    packed = {name for image in component.images for name in image.content}
    assert set(component.files) | packed == set(component.modules.outputs())


@pytest.mark.parametrize("recipe", recipes_of("official"), ids=lambda recipe: recipe.name)
def test_every_program_is_in_a_download(recipe) -> None:
    assert set(recipe.files) <= {name for download in recipe.downloads for name in download.members}


@pytest.mark.parametrize("component", BUILT, ids=lambda part: f"{part.name}-{part.version}")
def test_go_sum_pins_the_version_the_lock_names(component: Component) -> None:
    if not component.modules.packages:
        return
    required = (component.module_directory / "go.mod").read_text().split()
    sums = (component.module_directory / "go.sum").read_text()
    version = f"v{component.version}"
    assert version in required
    assert any(line.split()[1:2] == [version] and " h1:" in line for line in sums.splitlines())


def test_no_module_is_pinned_that_no_lock_uses() -> None:
    used = {part.module_directory for part in BUILT if part.modules.packages}
    assert set((lock_module.PINNED / "modules").iterdir()) == used


def test_what_only_drills_need_goes_to_no_host_and_the_source_official_has_none() -> None:
    """A bundle that was made before them stays complete, and a cluster that runs has nothing to do."""
    only = [recipe for recipe in recipes() if recipe not in recipes_of("official")]
    assert [recipe.name for recipe in only] == ["external-attacher"]
    assert not any(destination.roles for recipe in only for destination in recipe.files.values())
    assert not any(part.name == "external-attacher" for _, _, part in DOWNLOADED)


def test_a_lock_from_before_what_only_drills_need_is_complete(tmp_path: Path) -> None:
    lock = load_lock(supported.DEFAULT_VERSION)
    assert lock.modules is not None
    versions = {name: version for name, version in lock.modules.versions.items() if name != "external-attacher"}
    older = lock.model_copy(update={"modules": lock.modules.model_copy(update={"versions": versions})})
    path = tmp_path / "lock.toml"
    path.write_text(lock_text(older, []))
    made = read_lock(path).components("modules", "amd64")
    assert {part.name for part in lock.components("modules", "amd64")} - {part.name for part in made} == {
        "external-attacher"
    }


def test_destinations_and_archives_are_distinct() -> None:
    paths = [destination.path for recipe in recipes() for destination in recipe.files.values()]
    images = [image.name for recipe in recipes() for image in recipe.images]
    assert len(set(paths)) == len(paths)
    assert len(set(images)) == len(images)


def test_what_was_written_is_read(lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "lock.toml"
    path.write_text(lock_text(lock, ["a comment"]))
    assert read_lock(path) == lock


def test_a_version_without_a_lock_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(BadInput, match=r"1\.35\.4.*bundle pin 1\.2\.3"):
        load_lock("1.2.3")


def test_a_source_that_a_lock_does_not_have_is_refused_with_versions_that_do() -> None:
    with pytest.raises(BadInput, match=r"1\.35\.8 has nothing for the source modules\n.*1\.36\.3"):
        load_lock("1.35.8").components("modules", "amd64")
    with pytest.raises(BadInput, match="makes no bundles for arm64"):
        load_lock("1.35.4").components("modules", "arm64")


@pytest.mark.parametrize(
    "text", ["", "x", "kubernetes_version = 7", "a" * (2 << 20), "[official.versions]\netcd='1.2.3'"]
)
def test_what_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match="lock"):
        read_lock(path)


def test_an_incomplete_lock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock.toml"
    path.write_text("kubernetes_version = '1.2.3'\n[official.versions]\netcd='1.2.3'")
    with pytest.raises(BadInput, match=r"official\.versions has no kubernetes"):
        read_lock(path)


def test_any_change_of_what_is_pinned_changes_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = next(part for part in BUILT if part.name == "age")
    source = component.module_directory
    monkeypatch.setattr(lock_module, "PINNED", tmp_path)
    copy = component.module_directory
    copy.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (copy / name).write_bytes((source / name).read_bytes())
    before = component.fingerprint()
    with (copy / "go.sum").open("a") as sums:
        sums.write("example.test/other v1.0.0 h1:\n")
    assert component.fingerprint() != before
    other = next(part for _, _, part in DOWNLOADED if part.name == "age")
    changed = other.model_copy(update={"downloads": (other.downloads[0].model_copy(update={"sha256": "0" * 64}),)})
    assert changed.fingerprint() != other.fingerprint()


def test_a_lock_that_everybody_can_change_pins_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lock.toml"
    file.touch()
    file.chmod(0o666)
    with pytest.raises(BadInput, match="everybody on this machine can change this lock"):
        read_lock(file)
