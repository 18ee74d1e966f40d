"""Certificates in files, without their keys."""

from __future__ import annotations

import base64
import contextlib
import glob
import os
import re
import ssl

from haplane.facts.on_host.probe import read

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
MOST_CERTIFICATES = 100
OF_KUBEADM = ("apiserver.crt", "apiserver-kubelet-client.crt", "front-proxy-client.crt")
"""Useless without the key beside them; of all others haplane knows by itself which keys belong to them."""


def certificates(patterns: list[str]) -> dict[str, str]:
    """Path -> the PEM certificates in a file or in a kubeconfig's client-certificate-data.

    "" without any, and where the key is another's, empty or cut short: no server starts with that.
    """
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)})[:MOST_CERTIFICATES]:
        text = read(path) or ""
        embedded = re.search(r"^\s*client-certificate-data:\s*(\S+)", text, re.M)
        if embedded:
            text = ""
            with contextlib.suppress(ValueError):
                text = base64.b64decode(embedded.group(1)).decode("ascii", "replace")
        found[path] = "".join(CERTIFICATE.findall(text)) if has_its_key(path) else ""
    return found


def has_its_key(path: str) -> bool:
    """Whether the key beside a certificate, or in the same file, is its own. CAs are compared among masters."""
    name, key = os.path.basename(path), path if path.endswith(".pem") else path.removesuffix(".crt") + ".key"
    if not name.endswith((".crt", ".pem")) or name.endswith("ca.crt"):
        return True
    if not os.path.exists(key):
        return name not in OF_KUBEADM
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # a pair that is too weak for this host's policy is one all the same
    try:
        context.load_cert_chain(path, key, password=lambda: "")  # never a question at a terminal
    except (OSError, ValueError):
        return False
    return True
