"""QEMU's monitor, played by a thread."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from haplane.errors import HaplaneError
from haplane.lab.qemu.monitor import SOCKET, command

Play = Callable[[list[dict[str, object]]], list[dict[str, object]]]


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A directory whose path is too long for a socket's address."""
    directory = tmp_path.joinpath("d" * 60, "e" * 60)
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def play(deep: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Begin to listen; what is given is answered line by line, and what was asked is in the list that comes back."""
    monkeypatch.chdir(deep)
    server = socket.socket(socket.AF_UNIX)
    server.bind(SOCKET)
    server.listen()
    threads: list[threading.Thread] = []

    def begin(answers: list[dict[str, object]]) -> list[dict[str, object]]:
        asked: list[dict[str, object]] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rw") as stream:
                stream.write('{"QMP": {}}\n')
                for each in [{"return": {}}, *answers]:
                    stream.flush()
                    if "event" not in each:
                        asked.append(json.loads(stream.readline()))
                    stream.write(f"{json.dumps(each)}\n")

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return asked

    yield begin
    for thread in threads:
        thread.join()
    server.close()


def test_a_command_is_carried_out_whatever_events_come_between(deep: Path, play: Play) -> None:
    asked = play([{"event": "RESUME"}, {"return": {}}])
    command(deep, "set_link", name="cable", up=False)
    assert asked[1] == {"execute": "set_link", "arguments": {"name": "cable", "up": False}}


def test_what_qemu_refuses_is_an_error_with_its_words(deep: Path, play: Play) -> None:
    play([{"error": {"class": "DeviceNotFound", "desc": "Device 'cable' not found"}}])
    with pytest.raises(HaplaneError) as failure:
        command(deep, "set_link", name="cable", up=True)
    assert failure.value.why == "Device 'cable' not found"


def test_a_machine_that_is_off_is_an_error(deep: Path) -> None:
    with pytest.raises(HaplaneError, match="set_link"):
        command(deep, "set_link", name="cable", up=True)
