"""The pytest plugin of ``haplane verify``: options in, one JSON line per check out.

Lines on stdout: ``{"event": "started"|"finished", "group", "check", "host", ...}``. A check is a test function; its
name for people is its docstring's first line. SIGTERM ends a run as Ctrl-C does, so that what it made is removed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from haplane.checks.controls import Control
from haplane.config.model import Host

RANK = {"passed": 0, "skipped": 1, "failed": 2}
ORDER = ("reach", "services", "versions", "files", "certificates", "etcd", "endpoint", "tls", "nodes", "cis", "pods")
EMPTY_GROUP = "got empty parameter set"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What ``haplane verify`` passes on; also usable with plain pytest: ``pytest --pyargs haplane.checks ...``."""
    group = parser.getgroup("haplane")
    group.addoption("--inventory", type=Path, help="the haplane inventory of the cluster to check")
    group.addoption("--with-pods", action="store_true", help="also start pods, in a namespace of their own")
    group.addoption("--json-lines", action="store_true", help="write each check's result to stdout as one JSON line")


def pytest_configure(config: pytest.Config) -> None:
    """Results are written when asked for."""
    config.addinivalue_line("markers", "pods: starts pods in a namespace of its own; only with --with-pods")
    if config.getoption("json_lines"):
        config.pluginmanager.register(JsonLines())


def pytest_sessionstart(session: pytest.Session) -> None:
    """SIGTERM unwinds like Ctrl-C. Where Python drops the exception (in a ``__del__``), the next check is the end."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        session.shouldstop = "SIGTERM"
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Suites in the order in which a person would look; without --with-pods nothing is changed on the cluster."""
    items.sort(key=_rank)
    if config.getoption("with_pods"):
        return
    changing = [item for item in items if item.get_closest_marker("pods")]
    config.hook.pytest_deselected(items=changing)
    items[:] = [item for item in items if item not in changing]


def _rank(item: pytest.Item) -> int:
    group = item.path.stem.removeprefix("test_")
    return ORDER.index(group) if group in ORDER else len(ORDER)


class JsonLines:
    """Writes results as they come. Without a reader left it goes on silently: teardown matters more."""

    def __init__(self) -> None:
        self._results: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._results[nodeid] = {"outcome": "passed", "message": "", "seconds": 0.0}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        result = self._results[item.nodeid]
        if report.when == "setup":
            result |= describe(item)
            self._write({"event": "started", **result})
        result["seconds"] = round(result["seconds"] + report.duration, 3)
        if RANK[report.outcome] > RANK[result["outcome"]]:
            result["outcome"] = report.outcome
            result["message"] = message(call)
        return report

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        result = self._results.pop(nodeid)
        if not result["message"].startswith(EMPTY_GROUP):
            self._write({"event": "finished", **result})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            sys.stderr.write(f"{report.longrepr}\n")

    def pytest_internalerror(self, excrepr: object) -> None:
        sys.stderr.write(f"{excrepr}\n")

    @staticmethod
    def _write(event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()


def describe(item: pytest.Item) -> dict[str, str]:
    """A check's group (its file), its name for people, and its host if it has one."""
    function = getattr(item, "function", None)
    documented = (getattr(function, "__doc__", None) or item.name).strip()
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    hosts = [value.name for value in parameters.values() if isinstance(value, Host)]
    for control in parameters.values():
        if isinstance(control, Control):
            documented = f"{control.number} {control.title}"
    return {
        "group": item.path.stem.removeprefix("test_"),
        "check": documented.splitlines()[0].removesuffix("."),
        "host": ", ".join(hosts),
    }


def message(call: pytest.CallInfo[None]) -> str:
    """Why a check failed or was skipped, in its own words (with --assert=plain pytest adds none of its own)."""
    if call.excinfo is None:
        return ""
    error = call.excinfo.value
    known = isinstance(error, AssertionError | pytest.fail.Exception | pytest.skip.Exception)
    return str(error) if known else f"{type(error).__name__}: {error}"
