import contextlib
import json
import urllib.request
from collections import Counter

import pytest
import samples

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.domain.versions import SUPPORTED_VERSIONS
from haplane.errors import HaplaneError
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.sources.database import look_through
from haplane.sources.image import extract_program
from haplane.sources.sandbox import _apiserver, _keys_of, _type_of, prove
from haplane.sources.scratch import scratch_etcd
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
    bundle = default_directory(SUPPORTED_VERSIONS[-1])
    image = next(one.file for one in load_manifest(bundle).images if "kube-apiserver" in one.reference)
    extract_program(bundle / image.stored, "kube-apiserver", tools.directory / "kube-apiserver")
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
        etcd.save(directory / "snapshot.db")
    return look_through(directory / "snapshot.db", "written", tools, etcd_version="3.6.16")


def test_a_snapshot_is_served_and_read_whole(written, program, tools):
    proof = prove(written, samples.identity(), tools, program)
    assert proof.uid == written.uid
    assert proof.objects["/api/v1/secrets"] == proof.keys["secrets"] == 1
    assert proof.objects["/api/v1/namespaces"] >= 4


def test_keys_that_do_not_fit_it_are_found_out(written, program, tools):
    other = ClusterIdentity.generate("other", samples.NOW)
    with pytest.raises(HaplaneError, match="cannot read this snapshot's objects|does not start|not ready"):
        prove(written, other, tools, program)
