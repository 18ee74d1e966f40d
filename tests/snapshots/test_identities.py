"""The operator's identity: as age writes it, never overwritten, and proven before anything is sealed to it."""

import os
import resource
import stat
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from haplane.errors import BadInput
from haplane.snapshots.identities import new_identity, prove, proven, read_identities

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_new_identity_is_private_and_decrypts_what_is_encrypted_to_its_recipient(tmp_path):
    file = tmp_path / "identity"
    recipient = new_identity(file, NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines()[:2] == [
        "# created: 2026-07-01T12:00:00+00:00",
        f"# public key: {recipient}",
    ]
    sealed = pyrage.encrypt(b"hello", [pyrage.x25519.Recipient.from_str(recipient)])
    assert pyrage.decrypt(sealed, list(read_identities(file))) == b"hello"


def test_an_identity_is_never_overwritten(tmp_path):
    file = tmp_path / "identity"
    new_identity(file, NOW)
    before = file.read_bytes()
    with pytest.raises(BadInput, match="never overwritten"):
        new_identity(file, NOW)
    assert file.read_bytes() == before


def test_a_part_of_an_identity_is_not_left(tmp_path):
    """On a full disk; the next attempt was refused, to protect an identity that is none."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(BadInput, match="cannot be written"):
            new_identity(tmp_path / "identity", NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "identity").exists()


def test_only_what_was_checked_is_proven(tmp_path):
    one, other = (new_identity(tmp_path / name, NOW) for name in ("one", "other"))
    assert proven() == frozenset()
    assert prove(read_identities(tmp_path / "one")) == (one,)
    assert proven() == {one}
    prove(read_identities(tmp_path / "other"))
    assert proven() == {one, other}


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"age1qqqq\n", b"AGE-SECRET-KEY-1NO\n", b"\xff\xfe"])
def test_what_is_no_identity_is_refused_and_not_quoted(tmp_path, content):
    file = tmp_path / "identity"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_identities(file)
    assert "AGE-SECRET-KEY-1NO" not in str(caught.value)


def test_a_damaged_memory_proves_nothing(tmp_path):
    new_identity(tmp_path / "identity", NOW)
    prove(read_identities(tmp_path / "identity"))
    (tmp_path / "state/haplane/proven-recipients.json").write_text('{"age1": true}')
    assert proven() == frozenset()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_an_identity_that_others_can_read_is_refused(tmp_path, mode):
    file = tmp_path / "identity"
    new_identity(file, NOW)
    file.chmod(mode)
    with pytest.raises(BadInput, match="others can read this identity") as caught:
        read_identities(file)
    assert f"{mode:04o}" in caught.value.why
    assert f"chmod 600 {file}" in caught.value.next_step


def test_an_identity_out_of_a_pipe_is_read(tmp_path):
    """As from `age -d`: --identity <(age -d identity.age)."""
    identity = pyrage.x25519.Identity.generate()
    reading, writing = os.pipe()
    os.write(writing, f"{identity}\n".encode())
    os.close(writing)
    try:
        assert str(read_identities(Path(f"/dev/fd/{reading}"))[0]) == str(identity)
    finally:
        os.close(reading)


def test_nobody_else_can_add_to_what_is_proven(tmp_path):
    before = os.umask(0)
    try:
        prove([pyrage.x25519.Identity.generate()])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state" / "haplane").stat().st_mode) == 0o700
