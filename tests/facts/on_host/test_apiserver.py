"""What the API server of a host answers an administrator."""

import io
import json
from types import SimpleNamespace

import pytest

from haplane.facts.on_host import apiserver
from haplane.facts.on_host.kubernetes import Forbidden


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Forbidden("/api: HTTP 403"), {"forbids": "/api: HTTP 403"}),
        (OSError("/api: HTTP 429"), {"rejects": "HTTP 429"}),
        (OSError("[Errno 104] Connection reset by peer"), {}),
        (TimeoutError(), {}),
        (None, {}),
    ],
)
def test_only_an_answer_is_a_refusal(monkeypatch, answer, found):
    def ask(*_, **__):
        if answer is not None:
            raise answer

    monkeypatch.setattr(apiserver, "ask", ask)
    assert apiserver.answer_to_administrator(6443) == found


BROKEN = 'unable to transform key "/registry/secrets/x/y": no matching prefix found'


@pytest.mark.parametrize(
    ("status", "message", "why"),
    [
        (200, None, ""),
        (429, f"storage is (re)initializing: {BROKEN}", BROKEN),
        (429, "storage is (re)initializing", ""),  # it has just started
        (429, "Too many requests, please try again later.", ""),
        (500, BROKEN, BROKEN),
    ],
)
def test_secrets_that_it_cannot_decrypt(monkeypatch, status, message, why):
    answer = SimpleNamespace(status=status, read=io.BytesIO(json.dumps({"message": message}).encode()).read)
    connection = SimpleNamespace(request=lambda *_: None, getresponse=lambda: answer, close=lambda: None)
    monkeypatch.setattr(apiserver, "credentials", lambda _: None)
    monkeypatch.setattr(apiserver, "TlsConnection", lambda *_, **__: connection)
    assert apiserver.why_undecodable(6443) == why
