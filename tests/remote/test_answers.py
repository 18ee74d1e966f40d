"""Answers of any size and encoding: from real processes and from a channel that never ends."""

import io
import tarfile
import time

import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st
from paramiko import SSHException

from haplane.errors import HaplaneError
from haplane.remote import openssh
from haplane.remote.answers import Lines, ask, bounded

SHELL = ("sh", "-c")
HOST = samples.host("m1", 21)


class FakeChannel:
    """Gives these pieces; an endless one gives the last again and again, until it is closed."""

    def __init__(self, *pieces, endless=False):
        self.pieces, self.endless, self.closed = list(pieces), endless, False

    def receive(self, most):
        if self.closed or not self.pieces:
            return b""
        return self.pieces[0] if self.endless else self.pieces.pop(0)

    def close(self):
        self.closed = True


def lines(channel, most=1 << 20):
    return list(Lines(channel, channel.receive, most))


def test_lines_are_put_together_from_any_pieces():
    assert lines(FakeChannel(b"a\nb", b"", b"never read")) == ["a", "b"]
    assert lines(FakeChannel(b"a", b"b\n\nc\xff", b"\n")) == ["ab", "", "c\ufffd"]


@given(st.text(alphabet="ab\n\r\u00e4"), st.integers(1, 5))
def test_no_byte_is_lost_however_it_is_cut(text, size):
    data = text.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert "\n".join(lines(FakeChannel(*pieces))) == text.removesuffix("\n")


@pytest.mark.parametrize("piece", [b"x" * 1000, b"line\n" * 200])
def test_an_answer_without_end_is_cut_and_that_is_said(piece):
    channel = FakeChannel(piece, endless=True)
    assert lines(channel)[-1] == "its answer takes more than 1 MiB"
    assert channel.closed


def test_an_answer_of_many_short_lines_is_cut_early():
    assert len(lines(FakeChannel(b"y\n" * 1000, endless=True))) < 20_000


@pytest.mark.parametrize("error", [EOFError(), SSHException("no")])
def test_a_connection_that_ended_is_an_error_that_pyinfra_knows(error):
    def execute(command):
        raise error

    with pytest.raises(SSHException):
        bounded(execute)("true")


def test_a_process_is_asked():
    said = ask([*SHELL, "cat; echo oh >&2; exit 3"], b"\xff" * 300_000, deadline_seconds=20)
    assert (said.code, said.stdout, said.stderr, said.cut) == (3, b"\xff" * 300_000, b"oh\n", None)


def test_a_process_that_reads_nothing_is_no_error():
    assert ask(["true"], b"x" * 300_000, deadline_seconds=20).code == 0


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_process_without_end_is_ended(where):
    said = ask([*SHELL, f"yes {where}"], b"", deadline_seconds=60, most=1 << 20)
    assert said.cut == "its answer takes more than 1 MiB"


def test_a_process_that_hangs_meets_its_deadline():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(["sleep", "60"], b"", deadline_seconds=0.3)
    assert time.monotonic() - began < 20


def archive(size):
    """One member whose header claims ``size`` bytes."""
    member = tarfile.TarInfo("etc/ca.key")
    member.size = size
    return member.tobuf() + b"content".ljust(512, b"\0")


@given(st.binary() | st.integers(0, 1 << 70).map(archive) | st.binary(max_size=600).map(lambda cut: archive(7) + cut))
def test_what_is_no_archive_is_our_error(answer):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "run", lambda *_, **__: answer)
        try:
            found = openssh.read_files(HOST, ["/etc/ca.key"])
        except HaplaneError as error:
            assert error.next_step
        else:
            assert all(isinstance(content, bytes) for content in found.values())


def test_a_whole_archive_is_read():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as members:
        member = tarfile.TarInfo("etc/ca.key")
        member.size = 7
        members.addfile(member, io.BytesIO(b"content"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "run", lambda *_, **__: buffer.getvalue())
        assert openssh.read_files(HOST, ["/etc/ca.key"]) == {"/etc/ca.key": b"content"}
