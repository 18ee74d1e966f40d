"""Images come from a registry with every digest checked, and leave as an archive containerd can name."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from haplane.bundle.credentials import Credentials
from haplane.bundle.image_documents import Reference
from haplane.bundle.registry import Registry
from haplane.errors import HaplaneError

from .conftest import Mirror, site_of

REFERENCE = "docker.io/flannel/flannel:v1"
REPOSITORY = "registry-1.docker.io/v2/flannel/flannel"
OCI = "application/vnd.oci.image"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def publish(
    mirror: Mirror, index_type: str = f"{OCI}.index.v1+json", manifest_type: str = f"{OCI}.manifest.v1+json"
) -> str:
    """An image for amd64 among others, as a registry serves it; returns the index's digest."""
    layer, config = gzip.compress(b"a layer", mtime=0), b'{"architecture": "amd64"}'
    parts = [{"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}]
    document = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": parts,
    }
    manifest = json.dumps(document).encode()
    entry = {"mediaType": manifest_type, "digest": digest(manifest), "size": len(manifest)}
    others = [
        {**entry, "digest": digest(b"other"), "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        {**entry, "digest": digest(b"proof"), "platform": {"os": "unknown", "architecture": "unknown"}},
        {**entry, "digest": digest(b"none")},
    ]
    ours = {**entry, "platform": {"os": "linux", "architecture": "amd64"}}
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [*others, ours]}).encode()
    for path, content, media_type in (
        (digest(index), index, index_type),
        (digest(manifest), manifest, manifest_type),
        ("v1", index, index_type),
    ):
        mirror.add(f"{REPOSITORY}/manifests/{path}", content)
        mirror.media_types[f"{REPOSITORY}/manifests/{path}"] = media_type
    for content in (layer, config):
        mirror.add(f"{REPOSITORY}/blobs/{digest(content)}", content)
    return digest(index)


def fetch(mirror: Mirror, directory: Path, pinned: str | None = None, **transport) -> tarfile.TarFile:
    target = directory / "image.tar"
    Registry(site_of(mirror.url, **transport)).fetch_image(
        REFERENCE, pinned, "amd64", target=target, scratch=directory, report=lambda _: None
    )
    return tarfile.open(target)


def read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


@pytest.mark.parametrize("token", [None, "opensesame"])
def test_the_image_for_our_architecture_arrives(mirror: Mirror, tmp_path: Path, token: str | None) -> None:
    mirror.token = token
    pinned = publish(mirror)
    with fetch(mirror, tmp_path, pinned) as archive:
        entry = json.loads(read(archive, "index.json"))["manifests"][0]
        assert entry["annotations"]["io.containerd.image.name"] == REFERENCE
        assert entry["platform"] == {"architecture": "amd64", "os": "linux"}
        blobs = [name for name in archive.getnames() if name.startswith("blobs/")]
        assert len(blobs) == 3
        assert all(digest(read(archive, name)) == name.removeprefix("blobs/").replace("/", ":") for name in blobs)


DOCKER = "application/vnd.docker.distribution.manifest"


@pytest.mark.parametrize(
    "types",
    [(f"{OCI}.index.v1+json", f"{OCI}.manifest.v1+json"), (f"{DOCKER}.list.v2+json", f"{DOCKER}.v2+json")],
    ids=["OCI", "Docker"],
)
def test_storage_behind_a_redirect_gets_accept_and_no_token(
    mirror: Mirror, storage: Mirror, tmp_path: Path, types: tuple[str, str]
) -> None:
    """Accept was lost at the redirect: a registry that insists on it returned 404."""
    mirror.token, mirror.behind, storage.signed = "opensesame", storage, True
    fetch(mirror, tmp_path, publish(storage, *types)).close()
    assert not any(headers["Authorization"] for headers in storage.seen)


def test_a_token_that_expires_in_mid_image_is_replaced(mirror: Mirror, storage: Mirror, tmp_path: Path) -> None:
    mirror.token, mirror.token_uses, mirror.behind = "none yet", 2, storage
    for path in list(storage.files):
        storage.faults[path] = "broken-once"
    fetch(mirror, tmp_path, publish(storage)).close()
    assert mirror.tokens_given == 2


@pytest.mark.parametrize(
    "challenge",
    [
        'bearer realm="{realm}",service=registry',
        "Bearer realm={realm}, service=registry",
        'Basic realm="files", Bearer realm="{realm}",scope="repository:x:pull,push"',
    ],
)
def test_challenges_as_registries_write_them(mirror: Mirror, tmp_path: Path, challenge: str) -> None:
    mirror.token, mirror.challenge = "opensesame", challenge
    fetch(mirror, tmp_path, publish(mirror)).close()


def test_a_registry_with_passwords_is_asked_with_the_one_of_netrc(mirror: Mirror, tmp_path: Path) -> None:
    mirror.token, mirror.challenge = "-", 'Basic realm="Artifactory Realm"'
    publish(mirror)
    with pytest.raises(HaplaneError, match=r"requires a user and a password[\s\S]*machine 127\.0\.0\.1 login"):
        fetch(mirror, tmp_path)


def test_a_manifest_of_schema_1_is_said(mirror: Mirror, tmp_path: Path) -> None:
    """It ended in KeyError: 'config'."""
    publish(mirror)
    mirror.faults[f"{REPOSITORY}/manifests/v1"] = "schema-1"
    with pytest.raises(HaplaneError, match="manifest of schema 1"):
        fetch(mirror, tmp_path)


def test_a_proxy_project_has_the_repositories_below_its_own(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror)
    for path in list(mirror.files):
        mirror.files[path.replace("registry-1.docker.io/v2/", "v2/hub-proxy/")] = mirror.files.pop(path)
    registry = Registry(site_of(f"docker.io={mirror.url}/hub-proxy"))
    target = tmp_path / "image.tar"
    registry.fetch_image(REFERENCE, None, "amd64", target=target, scratch=tmp_path, report=lambda _: None)
    assert target.is_file()


def test_a_platform_that_is_not_there_is_named(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror)
    with pytest.raises(HaplaneError, match="no image for linux/riscv64"):
        Registry(mirror.site()).fetch_image(
            REFERENCE, None, "riscv64", target=tmp_path / "i", scratch=tmp_path, report=lambda _: None
        )


def test_what_a_tag_is_now(mirror: Mirror) -> None:
    pinned = publish(mirror)
    found, document = Registry(mirror.site()).digest(REFERENCE)
    assert found == pinned
    assert document.entry("amd64") is not None
    assert document.entry("s390x") is None


def test_a_pinned_image_that_changed_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    pinned = publish(mirror)
    mirror.files[f"{REPOSITORY}/manifests/{pinned}"] = b'{"schemaVersion": 2}'
    with pytest.raises(HaplaneError, match="wrong digest"):
        fetch(mirror, tmp_path, pinned)


def test_a_changed_layer_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror)
    for path in mirror.files:
        if "/blobs/" in path:
            mirror.files[path] = mirror.files[path][:-1] + b"!"
    with pytest.raises(HaplaneError, match="wrong checksum"):
        fetch(mirror, tmp_path)


@pytest.mark.parametrize("realm", ["file://{}/secret.json#", "http://auth.test/token?a=b", "ftp://auth.test/token"])
def test_a_token_is_asked_for_over_https_only(mirror: Mirror, tmp_path: Path, realm: str) -> None:
    """From a file of the operator's it went to the registry as a token of its own."""
    (tmp_path / "secret.json").write_text('{"access_token": "OPERATORS-OWN"}')
    mirror.token, mirror.realm = "opensesame", realm.format(tmp_path)
    publish(mirror)
    with pytest.raises(HaplaneError, match="names a token server"):
        fetch(mirror, tmp_path)
    assert not any(headers["Authorization"] for headers in mirror.seen)


def test_a_mirror_may_give_tokens_itself(mirror: Mirror, tmp_path: Path) -> None:
    mirror.token, mirror.realm = "opensesame", f"{mirror.url}/auth.test/token?account=me"
    fetch(mirror, tmp_path, publish(mirror)).close()


@pytest.mark.parametrize(("server", "sent"), [("localhost", False), ("127.0.0.1", True)])
def test_a_password_goes_to_no_token_server_of_another_domain(
    mirror: Mirror, storage: Mirror, tmp_path: Path, server: str, sent: bool
) -> None:
    """A registry named another host of the operator's: what that gave for the password went to the registry."""
    mirror.token = storage.token = "opensesame"
    (tmp_path / "netrc").touch(0o600)
    (tmp_path / "netrc").write_text(f"machine {server} login me password secret\n")
    tokens = f"auth.test={storage.url.replace('127.0.0.1', server)}/auth.test"
    site = site_of(mirror.url, tokens, credentials=Credentials(tmp_path / "netrc"))
    publish(mirror)
    Registry(site).digest(REFERENCE)
    assert [bool(headers["Authorization"]) for headers in storage.seen] == [sent]


@pytest.mark.parametrize("token", ["a b", "x\\r\\nHost: evil", ""])
def test_what_is_no_token_is_sent_to_nobody(mirror: Mirror, tmp_path: Path, token: str) -> None:
    mirror.token = token or " "
    publish(mirror)
    with pytest.raises(HaplaneError, match="returned no token"):
        fetch(mirror, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "../../../../outside"},
        {"digest": "sha256:" + "0" * 63},
        {"digest": "sha256:" + "0" * 64 + "\n"},
        {"digest": "sha512:" + "0" * 64},
        {"size": -1},
        {"size": 1 << 50},
        {"size": "many"},
    ],
)
def test_a_digest_is_one_before_it_is_a_path(mirror: Mirror, tmp_path: Path, change: dict[str, object]) -> None:
    """It was unlinked, opened and written before anything was compared."""
    layer = {"mediaType": "l", "digest": digest(b"layer"), "size": 5, **change}
    config = {"mediaType": "c", "digest": digest(b"{}"), "size": 2}
    mirror.add(f"{REPOSITORY}/blobs/{digest(b'{}')}", b"{}")
    mirror.add(f"{REPOSITORY}/manifests/v1", json.dumps({"config": config, "layers": [layer]}).encode())
    scratch = tmp_path / "a" / "b" / "c"
    scratch.mkdir(parents=True)
    with pytest.raises(HaplaneError, match="other than an image manifest"):
        fetch(mirror, scratch)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b'{"manifests": [7]}', b"[" * 100_000, b'{"config": {}, "layers": 3}']
)
def test_what_is_no_manifest_is_said(mirror: Mirror, tmp_path: Path, answer: bytes) -> None:
    mirror.add(f"{REPOSITORY}/manifests/v1", answer)
    with pytest.raises(HaplaneError, match="no image|other than an image"):
        fetch(mirror, tmp_path)


def test_a_layer_larger_than_its_manifest_says_is_not_fetched_whole(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror)
    for path in mirror.files:
        if "/blobs/" in path:
            mirror.faults[path] = "endless"
    with pytest.raises(HaplaneError, match="larger than it may be"):
        fetch(mirror, tmp_path)


def test_an_absent_image_is_named(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(HaplaneError, match="flannel/manifests/v1 returned 404"):
        fetch(mirror, tmp_path)


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("registry.k8s.io/coredns/coredns:v1.13.1", "registry.k8s.io", "coredns/coredns", "v1.13.1"),
        ("docker.io/flannel/flannel:v0.26.7", "registry-1.docker.io", "flannel/flannel", "v0.26.7"),
        ("mirror.test:5000/pause:3.10.1", "mirror.test:5000", "pause", "3.10.1"),
        ("mirror.test:5000/pause", "mirror.test:5000", "pause", "latest"),
    ],
)
def test_references(text: str, host: str, repository: str, tag: str) -> None:
    assert Reference.parse(text) == Reference(host, repository, tag)
    pinned = "sha256:" + "a" * 64
    assert Reference.parse(f"{text}@{pinned}") == Reference(host, repository, tag, pinned)


@pytest.mark.parametrize(
    "text", ["pause", "h/Pause:1", "h/a:b:c", "h/../a", "h/a@sha256:1", "h/a:1\n", "h//a", "h/a b"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match="is not an image reference"):
        Reference.parse(text)
