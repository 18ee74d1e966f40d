"""The mirror that the lab's image is made from."""

from __future__ import annotations

from haplane.lab.debian import _Stages, choose_mirror


def test_the_mirror_is_that_of_our_suite_else_debians_main_archive() -> None:
    ours = "bookworm main Debian http://mirror.test/debian/"
    newer = "trixie main Debian http://newer.test/debian/"
    security = "trixie-security main Debian http://newer.test/debian-security/"
    other = "noble main Ubuntu http://ubuntu.test/ubuntu/"
    assert choose_mirror(f"{newer}\n{ours}\n", "bookworm") == "http://mirror.test/debian/"
    assert choose_mirror(f"{security}\n{other}\n{newer}\n", "bookworm") == "http://newer.test/debian/"
    assert choose_mirror(f"{other}\n\n", "bookworm") is None


def test_each_stage_of_debootstrap_is_reported_once_however_its_output_is_cut() -> None:
    seen: list[str] = []
    stages = _Stages(lambda subject, message, fraction=None: seen.append(message))
    for piece in (
        b"I: Retrieving a\nI: Retr",
        b"ieving b\nW: Unpacking x\nI: Unpacking the base system\n",
        b"I: Unpack",
    ):
        stages.take(piece)
    assert seen == ["retrieving packages", "unpacking"]
