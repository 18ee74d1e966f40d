"""Whatever an archive is made of: it is read, or it is refused as one that cannot be."""

import gzip
import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.archives import members, opened, unpacked


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


def gzipped(path, *files, claimed=None):
    """Members by name and size, all of zeros; of the last the header alone, with this size and type."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, size in files:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
        if claimed is not None:
            content.write(claimed.tobuf(tarfile.GNU_FORMAT))
    path.write_bytes(gzip.compress(content.getvalue(), 1))
    return path


def test_a_packed_archive_is_read_as_a_plain_one(tmp_path):
    path = gzipped(tmp_path / "x.tgz", ("a", 3_000_000), ("b", 5))
    with unpacked(path, most=4 << 20) as archive:
        read = {one.name: len(archive.extractfile(one).read(5)) for one in members(archive, most=4 << 20)}
    assert read == {"a": 5, "b": 5}


def claims(kind, size):
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member


BOMBS = {
    "a long name": {"claimed": claims(tarfile.GNUTYPE_LONGNAME, 300 << 20)},
    "a pax header": {"claimed": claims(tarfile.XHDTYPE, 300 << 20)},
    "one file": {"members": [("a", 3 << 20)]},
    "many files": {"members": [(str(number), 500_000) for number in range(5)]},
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_packed_archive_is_unpacked_to_its_bounds_only(tmp_path, bomb):
    """A download of 1340 KiB took 1.8 GiB of memory."""
    path = gzipped(tmp_path / "x.tgz", *bomb.get("members", ()), claimed=bomb.get("claimed"))
    with pytest.raises(tarfile.ReadError), unpacked(path, most=1 << 20) as archive:
        for _ in members(archive, most=10 << 20):
            pass


@pytest.mark.parametrize("change", [lambda content: content[:200], lambda content: content[:200] + bytes(500)])
def test_a_packed_archive_that_is_damaged_is_refused(tmp_path, change):
    path = gzipped(tmp_path / "x.tgz", ("a", 300_000), ("b", 5))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(tarfile.ReadError), unpacked(path, most=1 << 20) as archive:
        for _ in members(archive, most=1 << 20):
            pass
