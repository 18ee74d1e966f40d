"""What drills create, as a real API server of the bundle takes it: no field is unknown and none is dropped."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
import samples

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.drills.pods.container_cases import CASES, FAILED_CODE, FAILING_ARGUMENTS
from haplane.drills.pods.failing_pods import FailingPods
from haplane.drills.pods.pod_kinds import CLAIMS, KINDS, WITH_VOLUME, objects
from haplane.drills.pods.volume_objects import cluster_objects, driver_objects, persistent_volume
from haplane.drills.pods.volumes import PRIVILEGED
from haplane.drills.probing.client import Reply
from haplane.drills.probing.writes import create, make_namespace
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.supported import DEFAULT_VERSION
from haplane.waiting import wait_until

pytestmark = pytest.mark.bundle
IMAGES = {"pause": "registry.k8s.io/pause:3.10.1", "coredns": "registry.k8s.io/coredns/coredns:v1.13.1"}


class RealApi:
    """The scratch API server as drills' client; it names unknown fields instead of dropping them."""

    def __init__(self, client):
        self._client = client

    def request(self, method, path, body=None, *, seconds=10.0):
        url = f"{self._client.base}{path}" + ("?fieldValidation=Strict" if method == "POST" else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {**self._client.headers, "Content-Type": "application/json"}
        asked = urllib.request.Request(url, content, headers, method=method)
        try:
            with self._client._open(asked, seconds) as answer:
                return Reply(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read())


def extracted(name, directory):
    bundle = default_directory(DEFAULT_VERSION)
    image = next(one.file for one in load_manifest(bundle).images if f"/{name}:" in one.reference)
    extract_program(bundle, image, name, directory / name)
    return directory / name


@pytest.fixture(scope="module")
def api(tools, tmp_path_factory):
    directory = tmp_path_factory.mktemp("api")
    (directory / "data").mkdir()
    program = directory / "as-kubeadm-runs-it"
    program.write_text(f'#!/bin/sh\nexec {extracted("kube-apiserver", directory)} --allow-privileged=true "$@"\n')
    program.chmod(0o700)
    with (
        scratch_etcd(tools, directory / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        found = RealApi(client)
        path = "/api/v1/namespaces/kube-system"
        wait_until(lambda: found.request("GET", path).ok, 60, "the API server has its namespaces")
        yield found


def made(api, namespace):
    """A namespace with the account that a controller would make."""
    make_namespace(api, namespace)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    create(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", account)


def test_a_pod_of_each_kind_with_its_volumes_and_their_driver(api):
    made(api, "each")
    make_namespace(api, "each-volumes", PRIVILEGED)
    for path, body in (
        *cluster_objects("each-volumes"),
        *driver_objects("each-volumes", IMAGES["pause"], ["m1", "m2"], ("m1", "10.0.0.21", 6443)),
        *(persistent_volume("each", claim) for claim in CLAIMS.values()),
        *objects("each", IMAGES["pause"], "m2", (*KINDS, *WITH_VOLUME)),
    ):
        reply = api.request("POST", path, body)
        assert reply.ok, (path, reply.body)


def test_every_policy_and_this_version_knows_restart_rules(api):
    pods = FailingPods(api, "m1")
    made(api, pods._namespace)
    assert {case.name: pods._make(case, IMAGES) for case in CASES} == {case.name: True for case in CASES}


def test_a_version_that_does_not_know_an_action_refuses_it_in_the_words_that_are_looked_for(api):
    pods = FailingPods(api, "m1")
    made(api, pods._namespace)
    case = next(case for case in CASES if case.rules)
    spec = json.loads(json.dumps(case.spec).replace('"Restart"', '"RestartNobodyKnows"'))
    assert not pods._make(type(case)(**{**vars(case), "spec": spec}), IMAGES)


def test_coredns_without_its_file_ends_with_the_code_that_policies_look_for(tools, tmp_path):
    done = subprocess.run([extracted("coredns", tmp_path), *FAILING_ARGUMENTS], capture_output=True, check=False)
    assert done.returncode == FAILED_CODE
