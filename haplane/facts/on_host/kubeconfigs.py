"""The kubeconfigs that kubeadm made, as their users would read them."""

from __future__ import annotations

import base64
import os
import re
import ssl

from haplane.facts.on_host.probe import read

KUBECONFIG_NAMES = ("admin", "super-admin", "controller-manager", "scheduler", "kubelet")
PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
CA_CRT = "/etc/kubernetes/pki/ca.crt"


def unusable_kubeconfigs() -> dict[str, str]:
    """Path -> why it gets its user to no API server of this host's CA, or to one that nobody has verified."""
    authorities = certificates_in(read(CA_CRT) or "")
    found = {}
    for path in (f"/etc/kubernetes/{name}.conf" for name in KUBECONFIG_NAMES):
        text = read(path)
        why = why_unusable(text, authorities) if text is not None else None
        if why:
            found[path] = why
    return found


def why_unusable(text: str, authorities: set[bytes]) -> str | None:
    """``authorities``: the host's CA, of which it has to trust one; where there is none, none is asked for."""
    embedded = dict(re.findall(r"^[\s-]*([a-z-]+)-data: *[\"']?([\w+/=]+)", text, re.M))
    try:
        pem = {name: base64.b64decode(value) for name, value in embedded.items()}
        trusted = certificates_in(pem.get("certificate-authority", b"").decode("ascii"))
    except ValueError:
        return "what it embeds cannot be read"
    if re.search(r"insecure-skip-tls-verify: *[\"']?true", text) or not (
        trusted or re.search(r"^[\s-]*certificate-authority:", text, re.M)
    ):
        return "it does not verify the API server"
    if trusted and authorities and not trusted & authorities:
        return "the CA that it trusts is not the cluster's"
    if "client-certificate" in pem and not re.search(r"^[\s-]*client-key:", text, re.M):
        matches = is_pair(pem["client-certificate"], pem.get("client-key", b""))
        return None if matches else "its key does not match its certificate"
    return None


def certificates_in(text: str) -> set[bytes]:
    """In DER: PEM of the same certificate can be written in several ways. Raises ValueError."""
    return {ssl.PEM_cert_to_DER_cert(found) for found in PEM_CERTIFICATE.findall(text)}


def is_pair(certificate: bytes, key: bytes) -> bool:
    """Whether a client could log in with them. The key is in a file without a name, in memory alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    held = os.memfd_create("pair")
    try:
        os.write(held, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{held}", password=lambda: "")
    except (OSError, ValueError):
        return False
    finally:
        os.close(held)
    return True
