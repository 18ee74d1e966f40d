"""Refusals of servers, taken apart; whatever they write, nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.bundle.challenge import parse_challenge, refusal_reason


@pytest.mark.parametrize(
    ("header", "scheme", "url"),
    [
        (
            'Bearer realm="https://a.test/token",service="r",scope="repository:a:pull"',
            "bearer",
            "https://a.test/token?service=r&scope=repository%3Aa%3Apull",
        ),
        ("bearer realm=https://a.test/token,service=r", "bearer", "https://a.test/token?service=r"),
        (
            'Bearer realm="https://a.test/token?account=me", service="r", error="invalid_token"',
            "bearer",
            "https://a.test/token?account=me&service=r",
        ),
        ('Basic realm="x", Bearer realm="https://a.test/t"', "bearer", "https://a.test/t"),
        ('Basic realm="Artifactory Realm"', "basic", "Artifactory Realm"),
        ("Negotiate", "negotiate", ""),
    ],
)
def test_challenges(header: str, scheme: str, url: str) -> None:
    challenge = parse_challenge(header)
    assert challenge is not None
    assert (challenge.scheme, challenge.token_url()) == (scheme, url)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"errors": [{"code": "DENIED", "message": "no such project"}]}', "DENIED: no such project"),
        (b'{"message": "moved"}', "moved"),
        (b"only one mechanism\nis allowed", "only one mechanism"),
        (b"<html><title>503</title>", ""),
        (b"{}", ""),
        (b'{"errors": []}', ""),
        (b"\x1b[31mred", "[31mred"),
        (b"x" * 5000, "x" * 200),
    ],
)
def test_reasons(body: bytes, reason: str) -> None:
    assert refusal_reason(body) == reason


@given(st.text(), st.binary())
def test_whatever_is_answered_nothing_raises(header: str, body: bytes) -> None:
    challenge = parse_challenge(header)
    assert challenge is None or challenge.scheme
    assert len(refusal_reason(body)) <= 200
