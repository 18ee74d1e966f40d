"""What a host sends of its etcd data is unpacked where it belongs, or not at all."""

import io
import subprocess
import tarfile

import pytest
import samples

from haplane.errors import HaplaneError
from haplane.recovery.survivors import unpack


def packed(path, name, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, 4 if kind == tarfile.REGTYPE else 0, "/etc/passwd"
    with tarfile.open(path, "w") as archive:
        archive.addfile(member, io.BytesIO(b"data"))
    return path


def test_the_members_files_arrive(tmp_path):
    unpack(packed(tmp_path / "data.tar", "member/snap/db"), tmp_path / "data", samples.host("m1", 21))
    assert (tmp_path / "data/member/snap/db").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../out", tarfile.REGTYPE), ("/out", tarfile.REGTYPE), ("member/db", tarfile.SYMTYPE)],
)
def test_nothing_is_written_elsewhere(tmp_path, name, kind):
    with pytest.raises(HaplaneError, match="cannot be read"):
        unpack(packed(tmp_path / "data.tar", name, kind), tmp_path / "data", samples.host("m1", 21))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "data/member").exists()


@pytest.mark.parametrize("headers", [{"path": "member/\0db"}, {"GNU.sparse.map": "x"}, {"size": "9" * 30}])
def test_headers_that_are_none_are_this_members_failure_and_nobody_elses(tmp_path, headers):
    member = tarfile.TarInfo("member/db")
    member.pax_headers = headers
    with tarfile.open(tmp_path / "data.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member)
    with pytest.raises(HaplaneError, match="cannot be read"):
        unpack(tmp_path / "data.tar", tmp_path / "data", samples.host("m1", 21))


def test_an_archive_that_is_larger_unpacked_than_packed_is_refused(tmp_path):
    """A sparse member: 1.5 KiB were 1 GiB on disk; and a compressed one."""
    sparse = tmp_path / "sparse.tar"
    subprocess.run(["truncate", "-s", "64M", tmp_path / "db"], check=True)
    packing = ["tar", "-C", tmp_path, "--transform", "s,^,member/,"]
    subprocess.run([*packing, "--sparse", "-cf", sparse, "db"], check=True)
    squeezed = tmp_path / "squeezed.tar"
    subprocess.run([*packing, "-czf", squeezed, "db"], check=True)
    for archive in (sparse, squeezed):
        assert archive.stat().st_size < 1 << 20
        with pytest.raises(HaplaneError, match="cannot be read"):
            unpack(archive, tmp_path / "data", samples.host("m1", 21))
        assert not (tmp_path / "data").exists()


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    header = tarfile.TarInfo("member/db")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "data.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)
    with pytest.raises(HaplaneError, match="cannot be read"):
        unpack(tmp_path / "data.tar", tmp_path / "data", samples.host("m1", 21))
