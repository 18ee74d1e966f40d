"""What the API server of a host answers an administrator."""

import pytest

from haplane.facts.on_host import apiserver
from haplane.facts.on_host.kubernetes import Forbidden


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Forbidden("/api: HTTP 403"), "/api: HTTP 403"),
        (OSError("/api: HTTP 500"), ""),
        (TimeoutError(), ""),
        (None, ""),
    ],
)
def test_only_a_refusal_is_one(monkeypatch, answer, why):
    def ask(*_, **__):
        if answer is not None:
            raise answer

    monkeypatch.setattr(apiserver, "ask", ask)
    assert apiserver.why_forbidden(6443) == why
