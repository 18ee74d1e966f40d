"""What a host sends of its etcd data is unpacked where it belongs, or not at all."""

import io
import tarfile

import pytest
import samples

from haplane.errors import HaplaneError
from haplane.sources.survivors import unpack


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
