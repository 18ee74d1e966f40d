"""No port accepts TLS 1.1 or older."""

from __future__ import annotations

import pytest

from haplane.checks.fleet import Machine
from haplane.checks.probes import OLD_TLS

NOT_OFFERED = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH")

NOT_LISTENING = "ConnectionRefusedError"  # other checks report that


def test_floor(machine: Machine) -> None:
    """TLS 1.1 and older is refused on every port."""
    answers = {name: answer for name, answer in machine.facts.requests.items() if name.startswith(OLD_TLS)}
    if any(answer.error in NOT_OFFERED for answer in answers.values()):
        pytest.skip("this host's own OpenSSL does not offer TLS 1.1")
    problems = [
        f"{name}: {answer}"
        for name, answer in answers.items()
        if not answer.refused and not (answer.error or "").startswith(NOT_LISTENING)
    ]
    assert not problems, "\n".join(problems)
