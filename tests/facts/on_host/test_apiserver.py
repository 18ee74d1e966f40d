"""What the API server of a host answers an administrator."""

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
