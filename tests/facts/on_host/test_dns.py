import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.facts.on_host import dns
from haplane.facts.on_host.dns import addresses_in

QUESTION = b"\x05probe\x00" + struct.pack("!2H", 1, 1)


def reply(number, *records, code=0):
    return struct.pack("!6H", number, 0x8400 | code, 1, len(records), 0, 0) + QUESTION + b"".join(records)


def record(kind, value, name=b"\xc0\x0c"):
    return name + struct.pack("!HHIH", kind, 1, 5, len(value)) + value


def test_addresses_are_found_among_other_records():
    alias = record(5, b"\x01a\x00")
    full_name = record(1, bytes([10, 96, 0, 1]), name=b"\x05probe\x00")
    assert addresses_in(reply(7, alias, full_name, record(1, bytes([10, 96, 0, 2]))), 7) == ["10.96.0.1", "10.96.0.2"]


@pytest.mark.parametrize(
    "wrong", [reply(8, record(1, bytes(4))), reply(7, code=3), reply(7), reply(7, record(1, b"123")), b"", b"\0" * 11]
)
def test_anything_else_is_no_answer(wrong):
    with pytest.raises(ValueError, match="DNS|address"):
        addresses_in(wrong, 7)


@given(st.binary(max_size=80), st.integers(0, 0xFFFF))
def test_garbage_raises_nothing_else(garbage, number):
    with pytest.raises(ValueError, match="DNS|address"):
        addresses_in(garbage, number)


def test_a_name_server_that_answers_anything_is_there(monkeypatch):
    """That it does not know a name, or refuses to look, is an answer; nobody at all is none."""
    said = {"192.0.2.1": TimeoutError(), "192.0.2.2": ValueError("DNS error 5"), "192.0.2.3": None}

    def resolve(server, name, seconds):
        if said[server] is not None:
            raise said[server]

    monkeypatch.setattr(dns, "resolve", resolve)
    assert dns.silent_servers([*said, "127.0.0.53", "2001:db8::1"]) == ["192.0.2.1"]
