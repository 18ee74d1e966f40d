"""Answers of any size and encoding."""

import io
import tarfile

import pytest
import samples
from hypothesis import assume, given
from hypothesis import strategies as st
from pyinfra.connectors.util import CommandOutput

from haplane.errors import HaplaneError
from haplane.login_shell import MARK, AfterMark
from haplane.remote import openssh
from haplane.remote.connector import _lines_of
from haplane.streams import Completed, capture

HOST = samples.host("m1", 21)


@given(st.text(alphabet="ab\n\r\u00e4"))
def test_no_byte_of_an_answer_is_lost(text):
    output = CommandOutput(list(_lines_of(Completed(0, text.encode(), b"", None))))
    assert output.stdout == text.removesuffix("\n")


def test_an_answer_of_many_short_lines_is_cut():
    """Each costs memory besides its text: `yes` would get 32 million of them through."""
    output = CommandOutput(list(_lines_of(Completed(0, b"y\n" * 1_000_000, b"", None))))
    assert output.stdout_lines == []
    assert output.stderr == "it sent more than 64 MiB"


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 9))
def test_an_answer_begins_after_its_mark_however_it_is_cut(before, answer, size):
    assume(MARK not in before)
    taken = bytearray()
    after = AfterMark(taken.extend)
    data = before + MARK + answer
    for at in range(0, len(data), size):
        after(data[at : at + size])
    assert (bytes(taken), after.begun) == (answer, True)


def test_a_login_that_runs_nothing_is_no_success():
    done = capture(["echo", "This account is not available"], b"", deadline_seconds=10, marked=True)
    assert done.cut == "the login shell did not run the command"


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


def sparse_member(name, real):
    """An old GNU sparse header: no content, and ``real`` bytes of zeros when it is read."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT)[:512])
    header[386:398] = header[483:495] = tarfile.itn(real, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def filled(name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf(tarfile.GNU_FORMAT) + content.ljust(-len(content) % 512 + len(content), b"\0")


def test_what_is_small_on_the_way_and_large_when_it_is_read_is_refused():
    """8 MiB with 1000 sparse members of 8 MiB each would be 8 GiB."""
    content = b"\0" * (8 << 20)
    answer = filled("etc/f", content) + b"".join(sparse_member(f"etc/{n}", len(content)) for n in range(1000))
    names = ["/etc/f", *(f"/etc/{n}" for n in range(1000))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "run", lambda *_, **__: answer + b"\0" * 1024)
        with pytest.raises(HaplaneError, match="a command failed on m1"):
            openssh.read_files(HOST, names)


def test_a_file_that_was_not_asked_for_is_refused():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh, "run", lambda *_, **__: filled("etc/other", b"x") + b"\0" * 1024)
        with pytest.raises(HaplaneError) as refusal:
            openssh.read_files(HOST, ["/etc/ca.key"])
    assert refusal.value.why == "it sent files that were not requested"
