"""Whether API servers take each other's tokens of service accounts: each signs with the key that it has read."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from typing import Any

from haplane.facts.on_host.kubernetes import ADMIN_CONF, KUBE_SYSTEM, MOST_TEXT, NO_ANSWER, credentials
from haplane.facts.on_host.probe import TlsConnection, read

TOKEN = f"{KUBE_SYSTEM}/serviceaccounts/default/token"
"""Of an account without rights; nothing of a token is stored."""
REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
TOKEN_SECONDS = 3.0
REFUSALS_OF_TOKENS = (400, 401, 403, 422, 500)
"""Of a right that is gone, a webhook, a policy, a key that does not sign."""


def tokens(port: int, addresses: list[str]) -> dict[str, Any]:
    """Why the API server here issues no token, else at which ``addresses`` of API servers one of its is not known.

    Empty where it does not answer.
    """
    config = read(ADMIN_CONF)
    with contextlib.suppress(*NO_ANSWER):
        if config is not None:
            status, answer = issued(port, credentials(config))
            if status in REFUSALS_OF_TOKENS:
                return {"refused": str(answer.get("message"))[:MOST_TEXT]}
            context = ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt")
            token = str(answer["status"]["token"])
            return {"unknown_at": [one for one in addresses if is_unknown(token, one, port, context)]}
    return {}


def issued(port: int, context: ssl.SSLContext) -> tuple[int, dict[str, Any]]:
    """The API server's status and its answer to a request for a token."""
    connection = TlsConnection("127.0.0.1", port, context=context, timeout=TOKEN_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", TOKEN, json.dumps(REQUEST), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def is_unknown(token: str, address: str, port: int, context: ssl.SSLContext) -> bool:
    """Whether an API server that answers does not know the token; what it may do is another question."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = TlsConnection(address, port, context=context, timeout=TOKEN_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/version", headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status == 401
    return False
