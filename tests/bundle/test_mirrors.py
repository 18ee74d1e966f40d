"""Addresses of mirrors: a tree of all sites, or what stands for one."""

from __future__ import annotations

import pytest

from haplane.bundle.mirrors import Mirrors, shown
from haplane.bundle.urls import sites
from haplane.errors import BadInput

FILE = "https://dl.k8s.io/release/v1/kubelet"
MANIFEST = "https://registry.k8s.io/v2/coredns/coredns/manifests/v1"


@pytest.mark.parametrize(
    ("values", "address", "url"),
    [
        ([], FILE, FILE),
        (["http://m.test/all/"], FILE, "http://m.test/all/dl.k8s.io/release/v1/kubelet"),
        (["http://m.test"], MANIFEST, "http://m.test/registry.k8s.io/v2/coredns/coredns/manifests/v1"),
        (
            ["dl.k8s.io=https://nexus.test/repository/k8s"],
            FILE,
            "https://nexus.test/repository/k8s/release/v1/kubelet",
        ),
        (["dl.k8s.io=https://nexus.test/repository/k8s"], MANIFEST, MANIFEST),
        (
            ["registry.k8s.io=https://harbor.test/k8s"],
            MANIFEST,
            "https://harbor.test/v2/k8s/coredns/coredns/manifests/v1",
        ),
        (
            ["registry.k8s.io=https://nexus.test:5000"],
            MANIFEST,
            "https://nexus.test:5000/v2/coredns/coredns/manifests/v1",
        ),
        (
            ["docker.io=https://art.test/docker-remote", "https://m.test"],
            "https://registry-1.docker.io/v2/a/b/manifests/1",
            "https://art.test/v2/docker-remote/a/b/manifests/1",
        ),
        (["https://m.test"], "https://m.test/token?scope=x", "https://m.test/token?scope=x"),
    ],
)
def test_where_an_address_is_fetched(values: list[str], address: str, url: str) -> None:
    assert Mirrors.parse(values).url(address) == url


@pytest.mark.parametrize(
    "value",
    [
        *("m.test", "file:///etc", "ftp://m.test", "a=b", "https://", "https://m.test/?a=b", ""),
        *("https://m.test:99999", "https://m.test:port", "https://[::1"),
    ],
)
def test_only_web_addresses_are_mirrors(value: str) -> None:
    with pytest.raises(BadInput, match="not a valid mirror address"):
        Mirrors.parse([value])


def test_one_tree_and_no_password() -> None:
    with pytest.raises(BadInput, match="two mirrors for all"):
        Mirrors.parse(["https://a.test", "https://b.test"])
    with pytest.raises(BadInput, match=r"machine m\.test login") as caught:
        Mirrors.parse(["dl.k8s.io=https://me:secret@m.test/x"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("mirrors", "address", "allowed"),
    [
        ([], "https://auth.test/token", True),
        ([], "http://auth.test/token", False),
        ([], "file:///home/me/secret.json", False),
        ([], "https://me:secret@auth.test/token", False),
        ([], "https:///token", False),
        ([], "https://[x/token", False),
        (["https://m.test/all"], "https://auth.test/token", True),
        (["http://m.test:5000/all"], "http://m.test:5000/token", True),
        (["registry.k8s.io=http://m.test:5000"], "http://m.test:5000/token", True),
        (["http://m.test:5000/all"], "http://m.test/token", False),
        (["http://m.test:5000/all"], "file:///home/me/secret.json", False),
    ],
)
def test_where_a_server_may_send_us(mirrors: list[str], address: str, allowed: bool) -> None:
    assert Mirrors.parse(mirrors).may_ask(address) is allowed


@pytest.mark.parametrize(
    ("mirrors", "unauthenticated"),
    [
        ([], False),
        (["https://m.test"], False),
        (["http://127.0.0.1:80/x"], False),
        (["http://localhost"], False),
        (["http://[::1]:8080"], False),
        (["http://m.test"], True),
        (["http://10.0.0.1"], True),
        (["http://127.0.0.1.evil.test"], True),
        (["dl.k8s.io=http://m.test"], True),
        (["registry.k8s.io=http://m.test"], False),
    ],
)
def test_whom_anybody_on_the_way_can_answer_for(mirrors: list[str], unauthenticated: bool) -> None:
    assert Mirrors.parse(mirrors).is_unauthenticated(FILE) is unauthenticated


def test_secrets_in_addresses_are_not_shown() -> None:
    assert shown("https://me:secret@h.test:8443/p?X-Signature=secret#secret") == "https://h.test:8443/p"
    assert shown("http://[::1]:80/p") == "http://[::1]:80/p"
    assert "secret" not in shown("https://me:secret@h.test:port/")


def test_a_mistyped_site_is_refused_rather_than_its_real_one_contacted() -> None:
    with pytest.raises(BadInput, match='there is no site "nosuch" to mirror') as refused:
        Mirrors.parse(["nosuch=https://m.test"], sites())
    assert "dl.k8s.io" in str(refused.value.next_step)
    Mirrors.parse([f"{site}=https://m.test" for site in sites()], sites())
