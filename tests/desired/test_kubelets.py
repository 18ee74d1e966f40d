from ipaddress import IPv4Address

import pytest
import samples
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from haplane.desired.kubelets import approvals, verifies_kubelets
from haplane.domain.approval import GROUP, SIGNER, USAGES
from haplane.domain.observed import Kubernetes
from haplane.errors import Refused
from haplane.pki.ca import distinguished_name
from haplane.pki.keys import new_elliptic_key
from haplane.pki.requests import parse_request

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
ADDRESS = "10.0.0.69"


def made(name="w9", *names, extension=None, user=None, address=ADDRESS):
    """A kubelet's request, PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        distinguished_name(user or f"system:node:{name}", (GROUP,))
    )
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(IPv4Address(address)), *names])
    builder = builder.add_extension(alternatives, critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(new_elliptic_key(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def by_hand(*requests, user="system:node:w9", **changes):
    """The cluster with a worker that the inventory does not name, and these requests of that user."""
    document = CONVERGED.kubernetes().model_dump()
    node = document["nodes"][-1] | {"name": "w9", "address": ADDRESS, "addresses": (ADDRESS, "w9")} | changes
    asked = [
        {
            "name": f"csr-{number}", "signer": SIGNER, "username": user, "groups": [GROUP],
            "usages": list(USAGES), "pem": pem,
        }
        for number, pem in enumerate(requests)
    ]  # fmt: skip
    return Kubernetes.model_validate(document | {"nodes": [*document["nodes"], node], "serving_requests": asked})


def test_what_may_be_approved_is_and_the_others_are_told_why_not():
    bad = (
        made("w9", x509.RFC822Name("root@m1")),
        made("w9", extension=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        made("w9", user="system:node:m1"),
        "nonsense",
    )
    [step], refused = approvals(INVENTORY, by_hand(made(), *bad))
    assert step.items == ("csr-0",)
    assert [name.partition(" ")[0] for name in refused] == ["csr-1", "csr-2", "csr-3", "csr-4"]
    assert approvals(INVENTORY, None) == ([], {})


@pytest.mark.parametrize("network", ["pod_network", "service_network"])
def test_a_node_that_claims_an_address_of_a_service_or_pod_gets_no_certificate_for_it(network):
    address = str(getattr(INVENTORY.cluster, network).network_address + 1)
    steps, refused = approvals(INVENTORY, by_hand(made(address=address), address=address))
    assert steps == []
    assert "belongs to the cluster" in next(iter(refused.values()))


@pytest.mark.parametrize("name", ["w1", "m2"])
def test_a_request_of_a_node_in_the_inventory_gives_no_run_anything_to_do(name):
    """Left over from when it had joined by hand, or new with every run, of one that was broken into."""
    host = INVENTORY.host(name)
    pem = made(name, address=str(host.address))
    cluster = by_hand(pem, user=f"system:node:{name}")
    steps, refused = approvals(INVENTORY, cluster)
    assert steps == []
    assert list(refused.values()) == ["haplane issues the certificates of nodes in the inventory"]


def test_a_request_that_was_changed_on_the_way_is_refused():
    lines = made().splitlines()
    text = lines[-2]
    lines[-2] = ("A" if text[0] != "A" else "B") + text[1:]
    with pytest.raises(Refused):
        parse_request("\n".join(lines).encode(), "csr")


@pytest.mark.parametrize(
    ("settings", "kubernetes", "expected"),
    [
        ({}, None, True),
        ({"name": "m1"}, None, False),
        ({"name": "m1", "verifies_kubelets": "yes"}, None, True),
        ({"name": "m1"}, CONVERGED.kubernetes(), True),
        ({"name": "m1"}, by_hand(unverified="self-signed certificate"), False),
        ({"name": "m1"}, by_hand(unverified="self-signed certificate", ready=False), True),
        ({"name": "m1", "verifies_kubelets": "yes"}, by_hand(unverified="self-signed certificate"), True),
    ],
)
def test_api_servers_verify_kubelets_as_soon_as_no_worker_by_hand_loses_by_it(settings, kubernetes, expected):
    observation = samples.altered(CONVERGED, "m1", settings=settings)
    assert verifies_kubelets(INVENTORY, [observation.reports["m1"]], kubernetes) is expected
