"""Certificates in files, without their keys."""

from __future__ import annotations

import base64
import contextlib
import glob
import re

from haplane.facts.on_host.probe import read

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
MOST_CERTIFICATES = 100


def certificates(patterns: list[str]) -> dict[str, str]:
    """Path -> the PEM certificates in a file or in a kubeconfig's client-certificate-data, "" without any."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)})[:MOST_CERTIFICATES]:
        text = read(path) or ""
        embedded = re.search(r"^\s*client-certificate-data:\s*(\S+)", text, re.M)
        if embedded:
            text = ""
            with contextlib.suppress(ValueError):
                text = base64.b64decode(embedded.group(1)).decode("ascii", "replace")
        found[path] = "".join(CERTIFICATE.findall(text))
    return found
