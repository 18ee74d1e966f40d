import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.domain import host_paths
from haplane.errors import Refused
from haplane.pki.ca import KeyPair, new_ca, parse_certificate
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_certificates import (
    apiserver_client_files,
    etcd_server_files,
    healthcheck_client_files,
    reason_to_reissue,
)
from haplane.pki.issue import Usage, issue

NOW = datetime.now(UTC)
IDENTITY = ClusterIdentity.generate("demo", NOW)
ADDRESS = IPv4Address("10.89.0.11")
DOCUMENT = Path(__file__).parents[2] / "docs" / "certificates.md"
LEAF = issue(IDENTITY.etcd, "m1", dns_names=("m1",), addresses=(ADDRESS,), usages=(Usage.SERVER,), now=NOW)


def facts(pem: bytes) -> CertificateFacts:
    return CertificateFacts.from_pem(pem)


@pytest.mark.parametrize("stem", [host_paths.ETCD_SERVER_STEM, host_paths.ETCD_PEER_STEM])
def test_strict_openssl_accepts_a_member_by_every_name(tmp_path, stem):
    files = etcd_server_files(IDENTITY, "m1", ADDRESS, NOW)
    (tmp_path / "ca.crt").write_bytes(files[host_paths.ETCD_MEMBER_CA_CRT])
    (tmp_path / "certificate.crt").write_bytes(files[f"{stem}.crt"])
    names = ("-verify_hostname", "m1"), ("-verify_hostname", "localhost")
    addresses = ("-verify_ip", "127.0.0.1"), ("-verify_ip", str(ADDRESS))
    for purpose in ("sslserver", "sslclient"):
        for name in (*names, *addresses):
            verify = [
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                purpose,
                *name,
                "-CAfile",
                "ca.crt",
                "certificate.crt",
            ]
            subprocess.run(verify, cwd=tmp_path, check=True)


def test_openssl_reads_what_we_meant():
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=LEAF.certificate, check=True, capture_output=True
    ).stdout.decode()
    for expected in ("DNS:m1, IP Address:10.89.0.11", "CA:FALSE", "prime256v1", "Issuer: O = demo, CN = etcd-ca"):
        assert expected in text


def test_clients_are_no_servers_and_members_get_no_kubernetes_key():
    for files in (healthcheck_client_files(IDENTITY, NOW), apiserver_client_files(IDENTITY, NOW)):
        certificate = next(facts(pem) for path, pem in files.items() if path.endswith("client.crt"))
        assert certificate.usages == {Usage.CLIENT}
        assert certificate.issued_by(facts(IDENTITY.etcd.certificate))
    member = etcd_server_files(IDENTITY, "m1", ADDRESS, NOW) | healthcheck_client_files(IDENTITY, NOW)
    assert all(path.startswith("/etc/etcd/pki/") for path in member)
    assert not set(IDENTITY.to_files().values()) & {
        pem for path, pem in member.items() if host_paths.is_private(path)
    }


def test_a_certificate_allows_for_clock_offset_and_never_outlives_its_ca():
    ca = new_ca("short", now=NOW, years=1)
    certificate = facts(
        issue(ca, "certificate", usages=(Usage.CLIENT,), now=NOW + timedelta(days=100), days=3650).certificate
    )
    assert certificate.not_after == facts(ca.certificate).not_after
    assert certificate.not_before <= NOW + timedelta(days=100, minutes=-4)
    assert 264 < certificate.days_left(NOW + timedelta(days=100)) < 266
    with pytest.raises(Refused, match="expired"):
        issue(ca, "late", usages=(Usage.CLIENT,), now=NOW + timedelta(days=366))


def test_a_ca_with_anothers_key_does_not_issue():
    mixed = KeyPair(IDENTITY.etcd.certificate, IDENTITY.kubernetes.private_key)
    with pytest.raises(Refused, match=r"CA\.key is not the key"):
        issue(mixed, "certificate", usages=(Usage.CLIENT,), now=NOW)


def test_a_namesake_did_not_issue_it():
    namesake = ClusterIdentity.generate("demo", NOW)
    assert facts(LEAF.certificate).issued_by(facts(IDENTITY.etcd.certificate))
    assert not facts(LEAF.certificate).issued_by(facts(namesake.etcd.certificate))
    assert not facts(LEAF.certificate).issued_by(facts(LEAF.certificate))


def test_reasons_to_reissue():
    ca = facts(IDENTITY.etcd.certificate)
    names = frozenset({"m1", str(ADDRESS)})
    certificate = facts(LEAF.certificate)
    assert reason_to_reissue(certificate, ca, names=names, now=NOW) is None
    assert "10.89.0.12" in str(reason_to_reissue(certificate, ca, names=names | {"10.89.0.12"}, now=NOW))
    assert "expires" in str(reason_to_reissue(certificate, ca, names=names, now=NOW + timedelta(days=300)))
    assert "not issued" in str(
        reason_to_reissue(certificate, facts(IDENTITY.kubernetes.certificate), names=names, now=NOW)
    )


def test_facts_of_kubeadms_admin_certificate():
    admin = issue(
        IDENTITY.kubernetes, "kubernetes-admin", organizations=("system:a", "b"), usages=(Usage.CLIENT,), now=NOW
    )
    admin_facts = facts(admin.certificate)
    assert (admin_facts.common_name, admin_facts.organizations) == ("kubernetes-admin", ("system:a", "b"))
    assert admin_facts.authority_key_id == facts(IDENTITY.kubernetes.certificate).subject_key_id


def armour(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


DER = parse_certificate(LEAF.certificate).public_bytes(Encoding.DER)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_certificate_is_ours_to_refuse(data):
    der = bytearray(DER)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    armoured = armour(bytes(der))
    try:
        read = facts(armoured)
    except Refused:
        return
    read.issued_by(facts(IDENTITY.etcd.certificate))
    read.days_left(NOW)


def test_a_name_that_is_none_is_shown_without_a_warning_of_the_librarys():
    """A host shows its certificates, and the warning came with a path of this machine on the operator's screen."""
    country = bytes.fromhex("0603550406")  # in place of the issuer's organizationName (2.5.4.10), "demo"
    read = facts(armour(DER.replace(bytes.fromhex("060355040a"), country, 1)))
    assert "C=demo" in read.issuer


@given(st.one_of(st.binary(), st.binary().map(armour)))
def test_anything_else_is_refused(pem):
    with pytest.raises(Refused, match="not a certificate"):
        facts(pem)


def test_a_ca_with_the_same_key_and_new_dates_keeps_what_it_issued_valid(tmp_path):
    """As docs/certificates.md has it."""
    old = new_ca("kubernetes", organization="demo", now=NOW - timedelta(days=3000))
    certificate = issue(old, "kube-apiserver", dns_names=("m1",), usages=(Usage.SERVER,), now=NOW)
    for name, content in (
        ("ca.crt", old.certificate),
        ("ca.key", old.private_key),
        ("certificate.crt", certificate.certificate),
    ):
        (tmp_path / name).write_bytes(content)
    command = re.search(r"^# (openssl x509 .*)$", DOCUMENT.read_text(), re.M)
    assert command is not None
    subprocess.run(command[1].split(), cwd=tmp_path, check=True, capture_output=True)
    renewed = facts((tmp_path / "ca-new.crt").read_bytes())
    assert renewed.days_left(NOW) > 3600
    assert facts(certificate.certificate).issued_by(renewed)
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca-new.crt", "certificate.crt"]
    subprocess.run(verify, cwd=tmp_path, check=True)


def test_a_certificate_that_ends_with_its_ca_is_not_issued_again_and_again():
    old = new_ca("etcd-ca", now=NOW - timedelta(days=3650 - 40))
    certificate = facts(issue(old, "m1", dns_names=("m1",), usages=(Usage.SERVER,), now=NOW).certificate)
    assert certificate.days_left(NOW) < 90
    assert reason_to_reissue(certificate, facts(old.certificate), names=frozenset({"m1"}), now=NOW) is None
