"""Somebody is told, and whether they listen changes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from haplane.agent import alarm
from haplane.agent.settings import AgentSettings, FailureSettings
from haplane.errors import HaplaneError

ERROR = HaplaneError("the bucket burns", where="s3://x", next_step="call the fire brigade")


@pytest.fixture
def posted() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A webhook's URL, and what was posted there; it answers with rubbish."""
    found: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.wfile.write(b"what?\r\n")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", found
    server.shutdown()
    server.server_close()


def test_command_and_webhook_hear_the_same(tmp_path: Path, posted: tuple[str, list[dict[str, str]]]) -> None:
    url, found = posted
    command = ("tee", str(tmp_path / "heard"))
    sounded = alarm.sound(AgentSettings("prod", "m1", (), on_failure=FailureSettings(command, url)), ERROR)
    assert sounded.heard
    expected = f"snapshot of prod on m1 failed\n{ERROR}\n"
    assert (tmp_path / "heard").read_text() == expected
    assert found == [{"cluster": "prod", "member": "m1", "text": expected}]


@pytest.mark.parametrize("command", [("false",), ("/not/there",), ("sleep", "60")])
def test_nobody_listens(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "ALARM_SECONDS", 0.2)
    """It counted as raised, and was not raised again for an hour."""
    settings = FailureSettings(command, "http://127.0.0.1:1/T0KEN")
    sounded = alarm.sound(AgentSettings("prod", "m1", (), on_failure=settings), ERROR)
    assert not sounded.heard
    assert [line.partition(" ")[0] for line in sounded.failures] == ["on_failure.command", "on_failure.webhook"]
    assert "T0KEN" not in str(sounded.failures)


def test_one_way_that_works_is_enough() -> None:
    settings = FailureSettings(("true",), "http://127.0.0.1:1/")
    sounded = alarm.sound(AgentSettings("prod", "m1", (), on_failure=settings), ERROR)
    assert (sounded.heard, len(sounded.failures)) == (True, 1)
