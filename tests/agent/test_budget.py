"""Refused before the disk is full."""

import pytest

from haplane.agent.budget import BESIDES_BYTES, refuse_to_fill
from haplane.errors import Refused

GIB = 1 << 30


@pytest.mark.parametrize(
    ("free", "used", "max_bytes", "why"),
    [
        (3 * GIB + BESIDES_BYTES, 9 * GIB, None, None),
        (3 * GIB + BESIDES_BYTES - 1, 0, None, "3232 MiB, 3232 MiB are free"),
        (9 * GIB, GIB, 2 * GIB, None),
        (9 * GIB, GIB + 1, 2 * GIB, "1025 MiB of 2048 MiB are used"),
    ],
)
def test_the_arithmetic_is_said(free: int, used: int, max_bytes: int | None, why: str | None) -> None:
    if why is None:
        refuse_to_fill(GIB, free=free, used=used, max_bytes=max_bytes, where="/x")
        return
    with pytest.raises(Refused, match=why):
        refuse_to_fill(GIB, free=free, used=used, max_bytes=max_bytes, where="/x")
