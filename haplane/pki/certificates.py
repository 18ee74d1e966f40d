"""Reading certificates: what one says, whether a CA issued it, and how long it still holds.

Certificates come from hosts, so every field is untrusted: whatever is malformed is a Refused naming its source.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from haplane.errors import Refused
from haplane.pki.ca import CLOCK_TOLERANCE, is_ca, parse_certificate
from haplane.pki.issue import Address, Usage

MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says. Names are RFC 4514 text, moments are UTC, key ids and fingerprint lower-case hex."""

    subject: str
    common_name: str
    organizations: tuple[str, ...]
    issuer: str
    dns_names: tuple[str, ...]
    addresses: tuple[Address, ...]
    not_before: datetime
    not_after: datetime
    usages: frozenset[Usage]
    is_ca: bool
    subject_key_id: str | None
    authority_key_id: str | None
    fingerprint: str
    certificate: x509.Certificate = field(repr=False, compare=False)

    @classmethod
    @lru_cache(maxsize=1000)
    def from_pem(cls, pem: bytes, source: str = "certificate") -> CertificateFacts:
        """The facts of the first certificate in ``pem``. Raises Refused naming ``source`` when malformed."""
        certificate = parse_certificate(pem, source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # of a name with a part that is too long: it is shown as it is
                return cls(
                    subject=certificate.subject.rfc4514_string(),
                    common_name=next(iter(_attributes(certificate, NameOID.COMMON_NAME)), ""),
                    organizations=_attributes(certificate, NameOID.ORGANIZATION_NAME),
                    issuer=certificate.issuer.rfc4514_string(),
                    dns_names=tuple(_alternative_names(certificate).get_values_for_type(x509.DNSName)),
                    addresses=_addresses(certificate),
                    not_before=certificate.not_valid_before_utc,
                    not_after=certificate.not_valid_after_utc,
                    usages=_usages(certificate),
                    is_ca=is_ca(certificate),
                    subject_key_id=_subject_key_id(certificate),
                    authority_key_id=_ca_key_id(certificate),
                    fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
                    certificate=certificate,
                )
        except MALFORMED as error:
            raise Refused("a malformed certificate", where=source, why=f"{error}") from error

    def days_left(self, now: datetime) -> float:
        """Days until it expires; negative once it has."""
        return (self.not_after - now).total_seconds() / 86400

    def issued_by(self, ca: CertificateFacts) -> bool:
        """Whether that CA's name and signature are on it. Its validity is another question."""
        if not ca.is_ca:
            return False
        try:
            self.certificate.verify_directly_issued_by(ca.certificate)
        except (InvalidSignature, *MALFORMED):
            return False
        return True

    def flaw(self, ca: CertificateFacts, now: datetime, names: frozenset[str] = frozenset()) -> str | None:
        """Why nobody who trusts that CA takes it for what it is for, however long it holds; None where they do.

        ``names`` are DNS names and addresses as text. Clocks may differ by CLOCK_TOLERANCE.
        """
        if not self.issued_by(ca):
            return f"it was not issued by {ca.subject}"
        if missing := self.missing_names(names):
            return f"it does not name {', '.join(sorted(missing))}"
        early = self.not_before > now + CLOCK_TOLERANCE
        return f"it is not valid before {self.not_before:%Y-%m-%d %H:%M} UTC" if early else None

    def missing_names(self, names: frozenset[str]) -> frozenset[str]:
        """Those of the DNS names and addresses (as text) a server is called by that it does not speak for."""
        return names - set(self.dns_names) - {str(address) for address in self.addresses}


def _attributes(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid))


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _addresses(certificate: x509.Certificate) -> tuple[Address, ...]:
    values = _alternative_names(certificate).get_values_for_type(x509.IPAddress)
    return tuple(value for value in values if isinstance(value, Address))


def _usages(certificate: x509.Certificate) -> frozenset[Usage]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(usage for usage in Usage if usage.value in usages)


def _subject_key_id(certificate: x509.Certificate) -> str | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:
        return None


def _ca_key_id(certificate: x509.Certificate) -> str | None:
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None
    return None if identifier is None else identifier.hex()
