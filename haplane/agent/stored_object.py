r"""Which cluster an etcd database is of: the UID of its kube-system namespace, which a cluster keeps for life.

An object is stored as ``k8s\\0`` and a protobuf ``Unknown {2: raw}``; ``raw`` of a Namespace is ``{1: metadata}`` and
the metadata of every object ``{1: name, 5: uid}``. Two kinds of field are enough to walk there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from haplane.errors import Refused

MAGIC = b"k8s\x00"
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def uid_of(stored: bytes) -> str:
    """The UID of a stored object. Raises Refused when the bytes are something else."""
    try:
        if not stored.startswith(MAGIC):
            raise ValueError("not protobuf")
        metadata = _field(_field(stored[len(MAGIC) :], 2), 1)
        uid = _field(metadata, 5).decode("ascii")
        if not UID.fullmatch(uid):
            raise ValueError("not a UID")
    except (ValueError, IndexError):
        raise Refused("the kube-system namespace in this database cannot be read") from None
    return uid


def _field(message: bytes, wanted: int) -> bytes:
    for number, content in _fields(message):
        if number == wanted:
            return content
    raise ValueError(f"no field {wanted}")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message; numbers are passed over."""
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        if key & 7 == 0:
            _, place = _number(message, place)
        elif key & 7 == 2:
            size, place = _number(message, place)
            if place + size > len(message):
                raise ValueError("cut short")
            yield key >> 3, message[place : place + size]
            place += size
        else:
            raise ValueError("a field of an unexpected wire type")


def _number(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("an unterminated number")
