"""One HTTPS request as a check makes it: with or without a client certificate, with today's TLS or an old one's."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import ssl
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

from haplane.facts.on_host.probe import TlsConnection

REQUEST_SECONDS = 5
ATTEMPTS = 3  # one late answer from etcd is an HTTP 500 of /readyz; kubelet and haproxy want several in a row too


def https_request(
    url: str, ca: str, certificate: str | None, key: str | None, *, wait: bool, old: bool = False
) -> dict[str, Any]:
    """One HTTPS request, or with ``wait`` only a handshake and whether the server then closes the connection.

    With ``old`` nothing newer than TLS 1.1 is offered, and the server's certificate is not verified.

    ``status`` is the HTTP status, ``served`` the SHA-256 of the server's certificate, ``refused`` whether it ended
    the connection with a TLS alert.
    """
    answer: dict[str, Any] = {"status": None, "served": None, "refused": False, "error": None}
    target = urlsplit(url)
    try:
        context = old_context() if old else ssl.create_default_context(cafile=ca)
        if certificate and key:
            context.load_cert_chain(certificate, key)
        connection = TlsConnection(target.hostname or "", target.port, timeout=REQUEST_SECONDS, context=context)
        with contextlib.closing(connection):
            connection.connect()
            answer["served"] = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
            if wait:
                # Nothing is sent: an alert is then not lost in the reset that unread data would cause.
                connection.sock.settimeout(2)
                with contextlib.suppress(socket.timeout):
                    connection.sock.recv(1)
            connection.request("GET", target.path)
            answer["status"] = connection.getresponse().status
    except ssl.SSLError as error:
        answer["refused"] = "ALERT" in (error.reason or "")
        answer["error"] = error.reason or str(error)
    except FileNotFoundError:
        needed = [path for path in (ca, certificate, key) if path and not os.path.exists(path)]
        answer["error"] = f"absent: {', '.join(needed)}"
    except (OSError, http.client.HTTPException) as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


def request_with_retries(**wanted: Any) -> dict[str, Any]:
    """The answer of :func:`https_request`; an HTTP server error counts after ATTEMPTS, a second apart."""
    answer = https_request(**wanted)
    for _ in range(ATTEMPTS - 1):
        if (answer["status"] or 0) < http.client.INTERNAL_SERVER_ERROR:
            break
        time.sleep(1)
        answer = https_request(**wanted)
    return answer


def old_context() -> ssl.SSLContext:
    """A client that is 15 years old. Raises SSLError where the system's own library refuses to be that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
