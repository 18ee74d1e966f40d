"""Whatever is raised in a run: state, metrics and alarm have it, and what is finished on this disk stays."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from haplane.agent import main as module
from haplane.agent import pipeline
from haplane.agent.etcd import Database, Noted, View
from haplane.agent.failures import Stopped
from haplane.agent.main import Agent, main, take_now
from haplane.agent.manifest import PAYLOAD
from haplane.agent.payload import Packed
from haplane.agent.settings import AgentSettings, FailureSettings, HostPaths
from haplane.agent.state import State
from haplane.domain.slots import Candidate

UNFORESEEN = (KeyError("ContentLength"), RecursionError("deep"), AttributeError("x"), MemoryError(), Stopped())


class Etcd:
    """A member that answers at once."""

    def view(self) -> View:
        return View((Candidate("m1", healthy=True),), "3.6.16", 1000)

    def read_through_quorum(self) -> Noted:
        return Noted(5, -1)

    def kubernetes_uid(self) -> None:
        return None

    def save(self, target: Path, _: int) -> None:
        target.write_bytes(b"database")

    @contextmanager
    def announced(self, *_: object) -> Iterator[None]:
        yield

    def note_delivered(self, *_: object) -> None:
        return None


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    (tmp_path / "sealed").write_bytes(b"keys")
    (tmp_path / "facts").write_text(json.dumps({"fingerprint": "f", "sha256": hashlib.sha256(b"keys").hexdigest()}))
    (tmp_path / "alarm").write_text(f"#!/bin/sh\ncat >> {tmp_path}/alarms\n")
    (tmp_path / "alarm").chmod(0o755)
    paths = HostPaths(
        sealed_keys=str(tmp_path / "sealed"),
        sealed_keys_facts=str(tmp_path / "facts"),
        state=str(tmp_path / "state" / "state.json"),
        textfile_directories=(str(tmp_path),),
    )
    return AgentSettings(
        cluster="test",
        member="m1",
        recipients=("age1",),
        directory=str(tmp_path / "snapshots"),
        on_failure=FailureSettings((str(tmp_path / "alarm"),)),
        paths=paths,
    )


@pytest.fixture
def agent(settings: AgentSettings, monkeypatch: pytest.MonkeyPatch) -> Agent:
    def packed(work: Path, _: object) -> tuple[Database, Packed]:
        (work / PAYLOAD).write_bytes(b"payload")
        (work / "saved.db").unlink()
        return Database(7, 1), Packed("0" * 64, 2, hashlib.sha256(b"payload").hexdigest(), 7)

    monkeypatch.setattr(pipeline, "verify_and_pack", packed)
    monkeypatch.setattr(pipeline, "sign", lambda *_: b"signature")
    monkeypatch.setattr(pipeline, "certified_signer", lambda *_: None)
    return dataclasses.replace(Agent.of(settings), etcd=Etcd())  # type: ignore[arg-type]


def raising(error: BaseException) -> Callable[..., Any]:
    def act(*_: object, **__: object) -> None:
        raise error

    return act


def told(agent: Agent, words: str) -> dict[str, Any]:
    """The state, once state, metrics and alarm are seen to have it."""
    root = Path(agent.settings.directory).parent
    state: dict[str, Any] = json.loads(Path(agent.settings.paths.state).read_bytes())
    assert words in state["last_error"]["message"]
    assert state["running"] is None
    assert 'last_attempt_success{cluster="test",member="m1"} 0' in (root / "haplane_snapshot.prom").read_text()
    assert words in (root / "alarms").read_text()
    return state


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["view", "read_through_quorum", "save", "kubernetes_uid"])
def test_whatever_etcd_raises_is_told(agent: Agent, step: str, error: BaseException) -> None:
    setattr(agent.etcd, step, raising(error))
    with pytest.raises(Exception, match=r"unexpected|stopped"):
        take_now(agent)
    assert told(agent, "")["last_attempt"]["outcome"] == "failed"
    assert agent.local.all() == ()


class Bucket:
    """Does what a test says instead of a step."""

    def __init__(self, step: str, error: BaseException) -> None:
        setattr(self, step, raising(error))

    def put_file(self, *_: object, **__: object) -> None:
        return None

    put_bytes = put_file

    def digest(self, _: str, part: str, __: int) -> tuple[str, int]:
        return hashlib.sha256(b"payload" if part == PAYLOAD else b"keys").hexdigest(), 7


@pytest.mark.parametrize("error", UNFORESEEN[:4], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["put_file", "digest", "put_bytes"])
def test_whatever_the_bucket_raises_is_told_and_the_snapshot_here_stays(
    agent: Agent, step: str, error: BaseException
) -> None:
    with pytest.raises(Exception, match="unexpected"):
        take_now(dataclasses.replace(agent, store=Bucket(step, error)))  # type: ignore[arg-type]
    state = told(agent, type(error).__name__)
    assert state["last_attempt"]["outcome"] == "local-only"
    assert [each.id for each in agent.local.all()] == [state["last_attempt"]["id"]]


def test_a_directory_that_cannot_be_locked_is_told(agent: Agent) -> None:
    Path(agent.settings.directory).write_text("a file")
    with pytest.raises(Exception, match="operating system"):
        take_now(agent)
    state = json.loads(Path(agent.settings.paths.state).read_bytes())
    assert "operating system" in state["last_error"]["message"]
    assert "operating system" in Path(agent.settings.directory).with_name("alarms").read_text()


def test_a_state_that_cannot_be_written_does_not_silence_the_alarm(agent: Agent) -> None:
    Path(agent.settings.paths.state).parent.write_text("a file")
    with pytest.raises(Exception, match="operating system"):
        take_now(agent)
    assert "state cannot be written" in Path(agent.settings.directory).with_name("alarms").read_text()


def test_metrics_that_cannot_be_written_are_told(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "write_textfile", raising(OSError(28, "No space left on device", "prom")))
    with pytest.raises(Exception, match="No space left"):
        take_now(agent)
    assert "No space left" in Path(agent.settings.directory).with_name("alarms").read_text()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"told_at": "yesterday"}', b'{"told_at": 7, "skipped": "x", "running": 3}', b"[" * 9999]
)
def test_a_damaged_state_is_as_good_as_none(agent: Agent, content: bytes) -> None:
    state = Path(agent.settings.paths.state)
    state.parent.mkdir()
    state.write_bytes(content)
    agent.etcd.view = raising(KeyError("x"))  # type: ignore[method-assign]
    with pytest.raises(Exception, match="unexpected"):
        take_now(agent)
    assert told(agent, "KeyError")["skipped"] == 0


def test_settings_that_cannot_be_read_are_in_the_state(
    settings: AgentSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr(module.State, "__init__", lambda self, _: _init(self, settings))
    (tmp_path / "settings.json").write_text("{")
    assert main(["tick"]) == 2
    assert "settings of the snapshot agent are not valid" in json.loads(capsys.readouterr().err)["error"]
    state = json.loads(Path(settings.paths.state).read_bytes())
    assert "settings of the snapshot agent are not valid" in state["last_error"]["message"]


_init = State.__init__


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
def test_main_ends_with_a_line_whatever_is_raised(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "settings_in", raising(error))
    assert main(["check"]) == 1
    line = json.loads(capsys.readouterr().err)
    assert line["exit_code"] == 1
    if not isinstance(error, Stopped):
        assert "where" in line
        assert type(error).__name__ in line["why"]


def test_an_alarm_that_reaches_nobody_is_raised_again(agent: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    """A dead webhook counted as heard, and the alarm stayed silent for an hour."""
    agent.etcd.view = raising(KeyError("x"))  # type: ignore[method-assign]
    root, state = Path(agent.settings.directory).parent, Path(agent.settings.paths.state)
    working = (root / "alarm").read_text()
    for alarm, told_at in (("#!/bin/sh\nexit 3\n", False), (working, True)):
        (root / "alarm").write_text(alarm)
        with pytest.raises(Exception, match="unexpected"):
            take_now(agent)
        assert (json.loads(state.read_bytes())["told_at"] is not None) is told_at
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["alarm"] for line in lines] == ["on_failure.command did not work: OSError: exit status 3"]
