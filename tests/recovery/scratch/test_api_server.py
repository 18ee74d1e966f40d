import contextlib
import io
import json
import urllib.error
import urllib.request
from collections import Counter

import pytest
import samples

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.errors import HaplaneError
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.database import look_through
from haplane.recovery.scratch.api_server import _apiserver, _keys_of, _read, _type_of, prove
from haplane.recovery.scratch.custom_resources import DEFINITIONS, Custom
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.supported import DEFAULT_VERSION
from haplane.waiting import wait_until

KEYS = {
    "/registry/secrets/default/a": "/api/v1/secrets",
    "/registry/minions/m1": "/api/v1/nodes",
    "/registry/services/specs/default/kubernetes": "/api/v1/services",
    "/registry/services/endpoints/default/kubernetes": "/api/v1/endpoints",
    "/registry/deployments/kube-system/coredns": "/apis/apps/v1/deployments",
    "/registry/leases/kube-node-lease/m1": "/apis/coordination.k8s.io/v1/leases",
    "/registry/apiregistration.k8s.io/apiservices/v1.": "/apis/apiregistration.k8s.io/v1/apiservices",
    "/registry/example.com/widgets/default/w": "/apis/example.com/v1/widgets",
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_belongs_to_the_resource_that_clients_list(key):
    assert _keys_of(KEYS[key], Counter([_type_of(key)])) == 1


def test_a_custom_resource_is_not_taken_for_a_built_in_one_of_its_name():
    keys = Counter([_type_of("/registry/secrets/default/a"), _type_of("/registry/example.com/secrets/default/a")])
    assert _keys_of("/apis/example.com/v1/secrets", keys) == 1
    assert _keys_of("/api/v1/secrets", keys) == 1


@pytest.fixture(scope="module")
def program(tools):
    """The bundle's API server."""
    bundle = default_directory(DEFAULT_VERSION)
    image = next(one.file for one in load_manifest(bundle).images if "kube-apiserver" in one.reference)
    extract_program(bundle, image, "kube-apiserver", tools.directory / "kube-apiserver")
    return tools.directory / "kube-apiserver"


def there(client, path):
    with contextlib.suppress(OSError):
        return client.get(path)
    return None


def create(client, path, document):
    asked = urllib.request.Request(
        client.base + path,
        data=json.dumps(document).encode(),
        headers={**client.headers, "Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.HTTPSHandler(context=client.context)).open(asked, timeout=30).close()


def definition(plural, *, converts):
    """Of two versions; the preferred one, v2, is not the one that is stored."""
    webhook = {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "bugs", "name": "convert", "path": "/convert"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.bugs.example.org"},
        "spec": {
            "group": "bugs.example.org",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": plural[:-1].title()},
            "conversion": {"strategy": "Webhook", "webhook": webhook} if converts else {"strategy": "None"},
            "versions": [
                {"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in ("v1", "v2")
            ],
        },
    }


@pytest.fixture(scope="module")
def written(tools, program, tmp_path_factory):
    """A snapshot of what a real API server has written, a Secret encrypted with the cluster's key among it."""
    directory = tmp_path_factory.mktemp("written")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"word": "swordfish"}}
    with (
        scratch_etcd(tools, directory / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        wait_until(lambda: there(client, "/api/v1/namespaces/default"), 60, "the API server has made its namespaces")
        create(client, "/api/v1/namespaces/default/secrets", secret)
        for plural, converts in (("widgets", True), ("gadgets", False)):
            create(client, DEFINITIONS, definition(plural, converts=converts))
            path = f"/apis/bugs.example.org/v1/namespaces/default/{plural}"
            wait_until(lambda path=path: there(client, path) is not None, 60, f"{plural} are served")
            kind = plural.removesuffix("s").title()
            create(client, path, {"apiVersion": "bugs.example.org/v1", "kind": kind, "metadata": {"name": "one"}})
        etcd.save(directory / "snapshot.db")
    return look_through(directory / "snapshot.db", "written", tools)


def test_a_snapshot_is_served_and_read_whole(written, program, tools):
    proof = prove(written, samples.identity(), tools, program)
    assert proof.uid == written.uid
    assert proof.objects["/api/v1/secrets"] == proof.keys["secrets"] == 1
    assert proof.objects["/api/v1/namespaces"] >= 4


def test_objects_whose_conversion_webhook_is_not_here_are_read_and_named(written, program, tools):
    proof = prove(written, samples.identity(), tools, program)
    widgets, gadgets = (f"/apis/bugs.example.org/v2/{plural}" for plural in ("widgets", "gadgets"))
    assert proof.objects[widgets] == proof.objects[gadgets] == 1
    assert list(proof.unchecked) == [widgets]
    assert "1 objects were read as stored" in proof.unchecked[widgets]


class Unreadable:
    """A client for which every custom object fails, and built-in ones as told."""

    def __init__(self, *paths):
        self.paths = paths

    def resources(self):
        return ["/api/v1/secrets", "/apis/bugs.example.org/v2/widgets"]

    def count(self, path, patience=0):
        if path in self.paths:
            body = io.BytesIO(json.dumps({"message": "conversion webhook failed"}).encode())
            raise urllib.error.HTTPError(path, 500, "Internal", None, body)
        return 1


def test_custom_objects_that_cannot_be_read_are_counted_and_built_in_ones_are_refused():
    keys = Counter({"bugs.example.org/widgets": 7, "bugs.example.org/gone": 2, "secrets": 1})
    custom = Custom(frozenset({"widgets.bugs.example.org", "gone.bugs.example.org"}))
    objects, unchecked = _read(Unreadable("/apis/bugs.example.org/v2/widgets"), custom, keys)
    assert objects == {"/api/v1/secrets": 1}
    assert unchecked == {
        "/apis/bugs.example.org/v2/widgets": "7 objects cannot be read here: conversion webhook failed",
        "bugs.example.org/gone": "2 objects of a resource that the API server does not serve",
    }
    with pytest.raises(HaplaneError, match="cannot read this snapshot's objects"):
        _read(Unreadable("/api/v1/secrets"), custom, keys)


def test_keys_that_do_not_fit_it_are_found_out(written, program, tools):
    other = ClusterIdentity.generate("other", samples.NOW)
    with pytest.raises(HaplaneError, match="cannot read this snapshot's objects|does not start|not ready"):
        prove(written, other, tools, program)
