"""Whatever an archive is made of: it is read, or it is refused as one that cannot be."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.archives import members, opened


def packed(**headers):
    buffer, member = io.BytesIO(), tarfile.TarInfo("member/snap/db")
    member.size, member.pax_headers = 4, headers
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"data"))
    return buffer.getvalue()


def read(content):
    with opened(io.BytesIO(content)) as archive:
        for member in members(archive, most=len(content)):
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                file.read()


def with_checksums(content):
    """As the sender of an archive makes it: every header's sum is right."""
    changed = bytearray(content)
    for start in range(0, len(changed), tarfile.BLOCKSIZE):
        block = changed[start : start + tarfile.BLOCKSIZE]
        if block[257:262] == b"ustar":
            changed[start + 148 : start + 156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
    return bytes(changed)


@pytest.mark.parametrize("headers", [{"GNU.sparse.map": "x"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}])
def test_a_sparse_map_that_is_none_is_no_archive(headers):
    """tarfile raises ValueError: a member that sent this ended the whole restore."""
    with pytest.raises(tarfile.ReadError):
        read(packed(**headers))


PLAIN = packed(mtime="1.5", path="member/snap/db" * 20)
BYTES = st.sampled_from((0, 10, 32, 45, 57, 61, 255))


@given(st.dictionaries(st.integers(0, len(PLAIN) - 1), BYTES, max_size=4))
def test_bytes_that_somebody_changed_raise_nothing_else(changes):
    content = bytearray(PLAIN)
    for place, byte in changes.items():
        content[place] = byte
    with suppress(tarfile.TarError):
        read(with_checksums(content))
