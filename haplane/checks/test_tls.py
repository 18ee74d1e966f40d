"""Nobody speaks a version of TLS that is broken."""

from __future__ import annotations

import pytest

from haplane.checks.fleet import Machine
from haplane.checks.questions import OLD_TLS

OWN_REFUSAL = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH")

NOBODY = "ConnectionRefusedError"  # nobody listens, which other checks complain about


def test_floor(machine: Machine) -> None:
    """TLS 1.1 and older is refused by all."""
    answers = {name: answer for name, answer in machine.survey.requests.items() if name.startswith(OLD_TLS)}
    if any(answer.error in OWN_REFUSAL for answer in answers.values()):
        pytest.skip("this host's own OpenSSL does not offer TLS 1.1")
    problems = [
        f"{name}: {answer}"
        for name, answer in answers.items()
        if not answer.refused and not (answer.error or "").startswith(NOBODY)
    ]
    assert not problems, "\n".join(problems)
