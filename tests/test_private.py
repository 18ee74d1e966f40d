"""Whom a directory belongs to, and who else could change what is in it."""

import os
from contextlib import nullcontext

import pytest

from haplane.errors import Refused
from haplane.private import make_private, refuse_shared


def test_what_is_made_is_ours_alone_and_what_is_there_stays(tmp_path):
    tmp_path.chmod(0o755)
    umask = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b")
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(umask)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
    refuse_shared(tmp_path / "a" / "b")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_write_to_is_refused(tmp_path, mode):
    make_private(tmp_path / "a")
    (tmp_path / "a").chmod(mode)
    with pytest.raises(Refused, match="others can change"):
        refuse_shared(tmp_path / "a")


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o770, True), (0o1777, False), (0o755, False)])
def test_so_is_one_that_others_can_replace(tmp_path, mode, refused):
    make_private(tmp_path / "a" / "b")
    (tmp_path / "a").chmod(mode)
    with pytest.raises(Refused, match=f"where: {tmp_path}/a\\n") if refused else nullcontext():
        refuse_shared(tmp_path / "a" / "b")


def test_a_link_does_not_hide_where_it_leads(tmp_path):
    make_private(tmp_path / "shared" / "bundle")
    make_private(tmp_path / "ours")
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "ours" / "bundle").symlink_to(tmp_path / "shared" / "bundle")
    with pytest.raises(Refused):
        refuse_shared(tmp_path / "ours" / "bundle")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_another_users_is_refused(tmp_path):
    make_private(tmp_path / "a")
    os.chown(tmp_path / "a", 12345, 12345)
    with pytest.raises(Refused) as refusal:
        refuse_shared(tmp_path / "a")
    assert "12345" in refusal.value.why
