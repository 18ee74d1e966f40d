"""A kubelet gets a serving certificate for its own name and addresses, whatever it asks for and says of itself."""

import string

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.approval import GROUP, SIGNER, USAGES, USER, Asked, Reserved, why_not
from haplane.domain.observed import Node, ServingRequest

INVENTORY = {"m1": "10.0.0.21", "m2": "10.0.0.22", "lb1": "10.0.0.11", "w1": "10.0.0.61"}
ENDPOINT = "10.0.0.10"
RESERVED = Reserved(frozenset({ENDPOINT, "api.example.org"}), ("cluster.local",), ("10.96.0.0/16", "10.244.0.0/16"))
NAME, ADDRESS = "w9", "10.0.0.69"


def node(name, address, *more):
    return Node(
        name=name, uid=name, ready=True, labels=(), taints=(), unschedulable=False, kubelet_version="v1.35.4",
        address=address, addresses=(address, name, *more),
    )  # fmt: skip


NODES = (node("m1", "10.0.0.21"), node("m2", "10.0.0.22"), node("w1", "10.0.0.61"), node(NAME, ADDRESS))


def request(name=NAME, **changes):
    fields = {"username": USER + name, "groups": (GROUP, "system:authenticated"), "usages": tuple(USAGES)}
    return ServingRequest(**({"name": "csr-x", "signer": SIGNER, "pem": ""} | fields | changes))


def asked(name=NAME, **changes):
    fields = {"common_name": USER + name, "organizations": (GROUP,), "dns_names": (name,), "addresses": (ADDRESS,)}
    return Asked(**(fields | changes))


def verdict(one=None, wanted=None, nodes=NODES):
    return why_not(one or request(), wanted or asked(), nodes, INVENTORY, RESERVED)


def test_a_worker_that_joined_by_hand_gets_a_certificate_for_itself():
    assert verdict() is None
    assert verdict(wanted=asked(dns_names=())) is None


@pytest.mark.parametrize(
    ("one", "wanted", "why"),
    [
        (request(signer="kubernetes.io/kube-apiserver-client"), None, "its signer is"),
        (request(username="system:serviceaccount:kube-system:x"), None, "is not a node"),
        (request(groups=("system:authenticated",)), None, "is not a node"),
        (request(usages=(*USAGES, "client auth")), None, "its usages are"),
        (request(usages=("digital signature",)), None, "its usages are"),
        (None, asked(common_name="system:node:m1"), "not for the requester"),
        (None, asked(organizations=(GROUP, "system:masters")), "not for the requester"),
        (None, asked(others=True), "more than names and addresses"),
        (None, asked(addresses=()), "names no address"),
        (None, asked(addresses=(ADDRESS, "10.0.0.21")), "10.0.0.21 is not w9's"),
        (None, asked(dns_names=(NAME, "kubernetes.default")), "kubernetes.default is not w9's"),
        (request("gone"), asked("gone"), "there is no Node gone"),
    ],
)
def test_what_is_not_its_own_is_not_approved(one, wanted, why):
    assert why in verdict(one, wanted)


@pytest.mark.parametrize(
    ("stolen", "owned"),
    [
        *((one, one) for one in ("10.0.0.21", "10.0.0.11", "10.0.0.61", "m2")),
        *(("::ffff:10.0.0.21", "10.0.0.21"), ("::ffff:a00:15", "10.0.0.21"), ("M2", "m2"), ("m2.", "m2")),
    ],
)
def test_what_a_kubelet_writes_into_its_own_node_gets_it_nothing_of_anothers(stolen, owned):
    names, addresses = ((NAME, stolen), (ADDRESS,)) if "m2" in stolen.lower() else ((NAME,), (ADDRESS, stolen))
    lying = (*NODES[:-1], node(NAME, ADDRESS, stolen))
    assert f"{owned} belongs to another host" in verdict(None, asked(dns_names=names, addresses=addresses), lying)


OF_THE_CLUSTER = (
    *(f"::ffff:{ENDPOINT}", "::ffff:a60:1", "::ffff:7f00:1"),
    *(ENDPOINT, "api.example.org", "API.example.org", "10.96.0.1", "10.244.1.7", "127.0.0.1", "169.254.169.254"),
    *("kubernetes", "kubernetes.default", "kubernetes.default.svc", "Kubernetes.Default.SVC.cluster.local"),
    *("x.kube-system.svc.cluster.local.", "*.default.svc", "*", "localhost"),
)


@pytest.mark.parametrize("stolen", OF_THE_CLUSTER)
def test_what_the_cluster_is_called_is_no_nodes_whether_it_claims_an_address_or_is_named_so(stolen):
    """Pods trust the CA that signs it: with this certificate the node would be the API server to them."""
    is_address = stolen[0].isdigit() or ":" in stolen
    names, addresses = ((NAME,), (ADDRESS, stolen)) if is_address else ((NAME, stolen), (ADDRESS,))
    claiming = (*NODES[:-1], node(NAME, ADDRESS, stolen))
    assert "belongs to the cluster" in verdict(None, asked(dns_names=names, addresses=addresses), claiming)
    if not is_address and stolen == stolen.lower() and "*" not in stolen and stolen[-1] != ".":
        named = (*NODES, node(stolen, "10.0.0.70"))
        wanted = asked(stolen, addresses=("10.0.0.70",))
        assert "belongs to the cluster" in verdict(request(stolen), wanted, named)


def test_a_host_of_the_inventory_has_the_address_that_is_there():
    moved = (*NODES[:2], node("w1", "10.0.0.99"), NODES[3])
    assert "the inventory has w1 at" in verdict(request("w1"), asked("w1", addresses=("10.0.0.99",)), moved)


WORDS = st.sampled_from((NAME, "m1", "m2", "w1", "lb1", "kubernetes", "M1", "m2.")) | st.text(
    string.ascii_lowercase, max_size=3
)
OTHERS = (ENDPOINT, *INVENTORY.values(), "10.0.0.99", "127.0.0.1")
ADDRESSES = st.sampled_from((ADDRESS, *OTHERS, *(f"::ffff:{one}" for one in OTHERS)))


ASKED = st.builds(
    lambda user, names, addresses, others: (user, Asked(USER + user, (GROUP,), names, addresses, others)),
    WORDS,
    st.lists(WORDS, max_size=3).map(tuple),
    st.lists(ADDRESSES, max_size=3).map(tuple),
    st.booleans(),
)


@given(ASKED, st.lists(ADDRESSES, max_size=3), st.lists(st.sampled_from((*USAGES, "client auth")), max_size=4))
def test_whatever_a_compromised_kubelet_asks_and_claims_no_other_host_is_named(given_request, claimed, usages):
    user, wanted = given_request
    lying = (*NODES[:-1], node(NAME, ADDRESS, *claimed))
    if why_not(request(user, usages=tuple(usages)), wanted, lying, INVENTORY, RESERVED) is None:
        own = next(each for each in lying if each.name == user)
        names = {one.lower().rstrip(".").removeprefix("::ffff:") for one in (*wanted.dns_names, *wanted.addresses)}
        assert not names & ({*INVENTORY, *INVENTORY.values(), ENDPOINT} - {user, INVENTORY.get(user)})
        assert names <= {one.removeprefix("::ffff:") for one in (user, own.address, *own.addresses)}
        assert "client auth" not in usages
        assert not wanted.others


def test_a_healthy_cluster_has_nothing_to_approve():
    assert samples.converged(samples.inventory()).kubernetes().serving_requests == ()
