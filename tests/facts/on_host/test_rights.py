"""Controllers that lost a right, asked of a real API server."""

import urllib.request

import pytest
import samples
from recovery.scratch.test_api_server import program, there

from haplane.domain.refusals import remedy
from haplane.facts.on_host.rights import RIGHTS, refusals, refused
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.waiting import wait_until

__all__ = ["program"]
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.mark.bundle
def test_a_controller_whose_binding_was_deleted_is_named_and_no_other(tools, program, tmp_path):
    with (
        scratch_etcd(tools, tmp_path / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        port = int(client.base.rpartition(":")[2])

        def lost():
            return refusals(port, client.context, client.headers)

        def delete(path):
            asked = urllib.request.Request(client.base + path, headers=client.headers, method="DELETE")
            urllib.request.build_opener(urllib.request.HTTPSHandler(context=client.context)).open(asked).close()

        wait_until(lambda: there(client, "/api/v1/namespaces/kube-system"), 60, "the API server has its namespaces")
        wait_until(lambda: lost() == {}, 60, "every controller has its right", why=lambda: str(lost()))
        delete(f"{RBAC}/clusterrolebindings/system:controller:service-account-controller")
        found = {"service-account-controller": refused("service-account-controller")}
        wait_until(lambda: lost() == found, 30, "one of them has lost it", why=lambda: str(lost()))


@pytest.mark.parametrize("account", RIGHTS)
def test_a_right_is_refused_in_the_words_that_name_its_remedy(account):
    assert "an API server restores these rights when it starts" in remedy("kube-system", refused(account))
