"""Certificates: what servers and clients show each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from haplane.errors import Refused
from haplane.pki.ca import CLOCK_TOLERANCE, KeyPair, certified_key, distinguished_name, issuing_key, key_usage
from haplane.pki.keys import new_elliptic_key, private_key_pem

Address = IPv4Address | IPv6Address


class Usage(Enum):
    """What a certificate may be used for in TLS."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def issue(
    ca: KeyPair,
    common_name: str,
    *,
    usages: Iterable[Usage],
    now: datetime,
    organizations: tuple[str, ...] = (),
    dns_names: Iterable[str] = (),
    addresses: Iterable[Address] = (),
    days: int = 365,
) -> KeyPair:
    """A certificate with a new ECDSA P-256 key, valid from five minutes before ``now`` and never longer than its CA.

    Raises Refused when the CA has expired, cannot sign, or its key is not its certificate's.
    """
    issuer, issuer_key = issuing_key(ca)
    now = now.astimezone(UTC)
    if issuer.not_valid_after_utc <= now:
        raise Refused(
            f"{issuer.subject.rfc4514_string()} cannot issue {common_name}",
            why=f"the CA expired at {issuer.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        )
    key = new_elliptic_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(common_name, organizations))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - CLOCK_TOLERANCE, issuer.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=days), issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage.value for usage in usages]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_ca_key_id(issuer), critical=False)
    )
    names = [x509.DNSName(name) for name in dns_names]
    names_and_addresses = [*names, *(x509.IPAddress(address) for address in addresses)]
    if names_and_addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(names_and_addresses), critical=False)
    digest = None if isinstance(issuer_key, Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(issuer_key, digest)
    return KeyPair(certificate.public_bytes(Encoding.PEM), private_key_pem(key))


def _ca_key_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own subject key id where it has one: a CA adopted from kubeadm computes it its own way."""
    try:
        subject_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(certified_key(issuer, "CA"))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key_id)
