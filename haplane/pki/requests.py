"""Certificate signing requests (PKCS #10). They come from kubelets: every field is untrusted."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from haplane.domain.approval import Asked
from haplane.errors import Refused
from haplane.pki.certificates import MALFORMED


def parse_request(pem: bytes, source: str) -> Asked:
    """What the request asks for. Raises Refused naming ``source`` when it is malformed or its signature is wrong."""
    try:
        request = x509.load_pem_x509_csr(pem)
        if not request.is_signature_valid:
            raise Refused("not a usable request", where=source, why="it is not signed by its own key")
        names = [name for extension in request.extensions for name in _names(extension)]
        subject = list(request.subject)
        return Asked(
            common_name=str(next((one.value for one in subject if one.oid == NameOID.COMMON_NAME), "")),
            organizations=tuple(str(one.value) for one in subject if one.oid == NameOID.ORGANIZATION_NAME),
            dns_names=tuple(name.value for name in names if isinstance(name, x509.DNSName)),
            addresses=tuple(str(name.value) for name in names if isinstance(name, x509.IPAddress)),
            others=_asks_for_more(request, names),
        )
    except MALFORMED as error:
        raise Refused("not a usable request", where=source, why=f"{error}") from error


def _names(extension: x509.Extension[x509.ExtensionType]) -> list[x509.GeneralName]:
    value = extension.value
    return list(value) if isinstance(value, x509.SubjectAlternativeName) else []


def _asks_for_more(request: x509.CertificateSigningRequest, names: list[x509.GeneralName]) -> bool:
    known = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    subject = [one.oid for one in request.subject]
    return (
        any(not isinstance(name, x509.DNSName | x509.IPAddress) for name in names)
        or any(not isinstance(one.value, x509.SubjectAlternativeName) for one in request.extensions)
        or any(oid not in known for oid in subject)
        or subject.count(NameOID.COMMON_NAME) != 1
    )
