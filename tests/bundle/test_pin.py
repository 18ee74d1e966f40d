"""A lock comes from what the sites publish, here a server that imitates all of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from haplane.bundle.lock import ARCHITECTURES, load_lock, read_lock
from haplane.bundle.pin import CONSTANTS, Pinner
from haplane.bundle.published import checksum_in, kubeadm_constants
from haplane.bundle.recipe import recipes_of
from haplane.cli.bundle import command
from haplane.domain.progress import silent
from haplane.errors import BadInput, HaplaneError, Refused

from .conftest import Mirror

VERSION = "1.36.9"
CHOSEN = {"etcd": "3.6.99", "containerd": "2.3.99", "runc": "1.4.99", "cni-plugins": "1.9.99", "age": "1.3.99"}
CORE = {"kubernetes": VERSION, "coredns": "1.14.9", "pause": "3.10.9"}
GO = """package constants

const (
	// MinExternalEtcdVersion is the oldest.
	MinExternalEtcdVersion = "3.5.24-0"
	DefaultEtcdVersion = "3.6.8-0"
	CoreDNSVersion = "v1.14.9"
	PauseVersion = "3.10.9"
)
"""


def bare(address: str) -> str:
    return address.removeprefix("https://")


def sum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def publish_sums(mirror: Mirror, version: str, recipe_versions: dict[str, str]) -> None:
    """As the projects do it: a bare sum, a line with a name, and one signed file for all architectures."""
    published: dict[str, list[str]] = {}
    for recipe in recipes_of("official"):
        for architecture in ARCHITECTURES:
            for download in recipe.filled(recipe_versions[recipe.name], architecture).downloads:
                if download.published is None:
                    mirror.add(bare(download.url), download.url.encode())
                    continue
                lines = published.setdefault(download.published, [])
                bare_sum = recipe.name == "kubernetes"
                lines.append(sum_of(download.url) + ("" if bare_sum else f"  {download.file_name}"))
    for address, lines in published.items():
        text = "\n".join(lines)
        if address.endswith("runc.sha256sum"):
            text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}\n-----BEGIN PGP SIGNATURE-----\nabc\n"
        mirror.add(bare(address), text.encode())


def publish_images(mirror: Mirror, recipe_versions: dict[str, str], architectures: tuple[str, ...]) -> None:
    for recipe in recipes_of("official"):
        for image in recipe.filled(recipe_versions[recipe.name], "amd64").images:
            entries = [
                {
                    "mediaType": "m", "digest": f"sha256:{sum_of(image.reference + name)}", "size": 1,
                    "platform": {"os": "linux", "architecture": name},
                }
                for name in architectures
            ]  # fmt: skip
            index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
            host, _, rest = image.reference.partition("/")
            repository, _, tag = rest.rpartition(":")
            mirror.add(f"{host}/v2/{repository}/manifests/{tag}", json.dumps(index).encode())


@pytest.fixture
def sites(mirror: Mirror) -> Iterator[Mirror]:
    pins = load_lock("1.36.4").official
    assert pins is not None
    versions = pins.versions | CORE
    mirror.add(bare(CONSTANTS.format(VERSION)), GO.encode())
    publish_sums(mirror, VERSION, versions)
    publish_images(mirror, versions, ARCHITECTURES)
    publish_sums(mirror, VERSION, versions | CHOSEN)  # versions that no lock of haplane's has
    yield mirror


def pinner(sites: Mirror, *known) -> Pinner:
    return Pinner(sites.site(), silent, known)


def test_a_lock_has_everything_pinned_for_both_architectures(sites: Mirror) -> None:
    lock = pinner(sites).pin(VERSION, {})
    assert lock.official is not None
    assert lock.official.versions["coredns"] == "1.14.9"
    for architecture in ARCHITECTURES:
        for part in lock.components("official", architecture):
            assert all(image.digest for image in part.images)
            for download in part.downloads:
                assert download.sha256 == sum_of(download.url)
    trusted = {name for name in lock.official.first_use if name.startswith("https://")}
    assert {name.split("/")[4] for name in trusted} == {"age"}
    assert "registry.k8s.io/kube-apiserver:v1.36.9" in lock.official.first_use


def test_what_a_known_lock_has_must_still_be_so(sites: Mirror) -> None:
    known = pinner(sites).pin(VERSION, {})
    path = bare(f"https://dl.k8s.io/release/v{VERSION}/bin/linux/amd64/kubelet.sha256")
    sites.add(path, b"0" * 64)
    with pytest.raises(Refused, match="publishes another checksum") as caught:
        pinner(sites, known).pin(VERSION, {})
    assert "amd64/kubelet" in (caught.value.where or "")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"etcd": "3.7.3"}, "made for etcd 3.6, not for 3.7.3"),
        ({"etcd": "3.5.1"}, "made for etcd 3.6"),
        ({"etcd": "new"}, "not an etcd version"),
        ({"coredns": "1.2.3"}, "of coredns cannot be chosen"),
        ({"docker": "1.2.3"}, "of docker cannot be chosen"),
    ],
)
def test_versions_that_do_not_fit_are_refused(sites: Mirror, chosen: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        pinner(sites).pin(VERSION, chosen)


def test_constants_that_cannot_be_read_are_an_error(sites: Mirror) -> None:
    sites.add(bare(CONSTANTS.format(VERSION)), GO.replace("PauseVersion", "Pause").encode())
    with pytest.raises(HaplaneError, match=r"constants cannot be read[\s\S]*no constant PauseVersion"):
        pinner(sites).pin(VERSION, {})


def test_an_image_for_one_architecture_alone_is_refused(sites: Mirror) -> None:
    pins = load_lock("1.36.4").official
    assert pins is not None
    publish_images(sites, pins.versions | CORE, ("amd64",))
    with pytest.raises(HaplaneError, match="has no image for arm64"):
        pinner(sites).pin(VERSION, {})


def invoke(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_the_command_line_writes_a_lock_that_builds(sites: Mirror, tmp_path: Path) -> None:
    target = tmp_path / "my.lock.toml"
    chosen = [word for name, version in CHOSEN.items() for word in ("--component", f"{name}={version}")]
    words = ["pin", VERSION, "--output", str(target), "--mirror", sites.url, *chosen]
    first = invoke(*words)
    assert first.exit_code == 0, first.output
    assert "these were trusted on first use" in first.stdout
    assert "registry.k8s.io/pause:3.10.9  sha256:" in first.stdout
    assert read_lock(target).kubernetes_version == VERSION
    text = target.read_text()
    assert invoke(*words).exit_code == 0
    assert target.read_text() == text
    listed = invoke("urls", "--lock", str(target)).stdout.splitlines()
    assert f"https://dl.k8s.io/release/v{VERSION}/bin/linux/amd64/kubeadm" in listed
    assert any(re.fullmatch(r"registry\.k8s\.io/pause:3\.10\.9@sha256:[0-9a-f]{64}", line) for line in listed)
    assert invoke("pin", "v1.36.9", "--mirror", sites.url).exit_code == 2
    assert invoke("pin", VERSION, "--component", "etcd", "--mirror", sites.url).exit_code == 2


ONE, OTHER = "1" * 64, "2" * 64


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ONE, ONE),
        (f"{ONE}\n", ONE),
        (f"{ONE}  tool\n{OTHER}  tool.asc\n", ONE),
        (f"{ONE} *./tool\n", ONE),
        (f"Hash: SHA512\n\n{OTHER}  other\n{ONE}  tool\n-----BEGIN\n", ONE),
        (f"{ONE}  other\n", None),
        (f"{ONE}\n{OTHER}\n", None),
        (f"{ONE}  tool\n{OTHER}  tool\n", None),
        ("<html>moved</html>", None),
        ("", None),
        (ONE.replace("1", "A"), None),
    ],
)
def test_files_of_checksums(text: str, found: str | None) -> None:
    assert checksum_in(text, "tool") == found


def test_constants_of_kubeadm() -> None:
    constants = kubeadm_constants(GO)
    assert (constants.coredns, constants.pause, str(constants.etcd)) == ("1.14.9", "3.10.9", "3.6.8")
    assert str(constants.oldest_etcd) == "3.5.24"
