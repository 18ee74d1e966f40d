"""CAs, and the pair of a certificate with its private key.

ECDSA P-256, SHA-256, X.509 v3. Extensions follow RFC 5280 4.2.1 so that strict verifiers (OpenSSL's X509_STRICT,
Python 3.13's default) accept what is issued: critical basicConstraints and keyUsage, subject and authority key id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from haplane.errors import Refused
from haplane.pki.keys import (
    PrivateKey,
    PublicKey,
    new_elliptic_key,
    parse_private_key,
    private_key_pem,
    same_public_key,
)

CLOCK_TOLERANCE = timedelta(minutes=5)  # a host whose clock is behind ours must find the certificate valid already


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM. The private key is never shown by ``repr``."""

    certificate: bytes
    private_key: bytes = field(repr=False)

    def disagreement(self, name: str) -> str | None:
        """Why the key is not the certificate's, or None. Raises Refused when either is not what it should be."""
        certificate = parse_certificate(self.certificate, f"{name}.crt")
        key = parse_private_key(self.private_key, f"{name}.key")
        matches = same_public_key(certified_key(certificate, f"{name}.crt"), key.public_key())
        return None if matches else f"{name}.key is not the key of {name}.crt"


def new_ca(common_name: str, *, now: datetime, years: int = 10, organization: str | None = None) -> KeyPair:
    """A self-signed CA that may issue certificates only, valid from five minutes before ``now``."""
    key = new_elliptic_key()
    name = distinguished_name(common_name, () if organization is None else (organization,))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - CLOCK_TOLERANCE)
        .not_valid_after(now.astimezone(UTC) + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(Encoding.PEM), private_key_pem(key))


def parse_certificate(pem: bytes, source: str = "certificate") -> x509.Certificate:
    """The first certificate in ``pem``. Raises Refused naming ``source`` when there is none or it is damaged."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise Refused("not a certificate", where=source, why=f"{error}") from error


def certified_key(certificate: x509.Certificate, source: str) -> PublicKey:
    """The public key a certificate speaks for. Raises Refused when it is of a kind nobody here uses."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused("the certificate's public key is damaged", where=source, why=f"{error}") from error
    if not isinstance(key, PublicKey):
        raise Refused("the certificate's public key is of an unknown kind", where=source)
    return key


def certificate_fingerprint(certificate: bytes) -> str:
    """Lower-case hex SHA-256 of the certificate itself. Raises Refused when malformed."""
    return parse_certificate(certificate).fingerprint(hashes.SHA256()).hex()


def distinguished_name(common_name: str, organizations: tuple[str, ...]) -> x509.Name:
    """Kubernetes reads the user from the common name and its groups from the organizations.

    X.509 ends a common name at 64 characters. Go neither does nor checks, and ``system:node:NAME`` may be longer.
    """
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)])


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Digital signatures, which TLS with ECDSA needs; a CA signs certificates and revocations besides."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def issuing_key(ca: KeyPair, source: str = "CA") -> tuple[x509.Certificate, PrivateKey]:
    """The CA ready to sign. Raises Refused when it is damaged, no CA, or its key is another's."""
    if disagreement := ca.disagreement(source):
        raise Refused("the CA cannot issue", where=source, why=disagreement)
    certificate = parse_certificate(ca.certificate, source)
    if not is_ca(certificate):
        raise Refused("the certificate is not a CA's", where=source, why="its basic constraints are not a CA's")
    return certificate, parse_private_key(ca.private_key, source)


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether its basic constraints say it is a CA; damaged extensions mean no."""
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
