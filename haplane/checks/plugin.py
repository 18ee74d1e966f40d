"""The pytest plugin of ``haplane verify``: options in, one JSON line per check out.

Lines on stdout: ``{"event": "started"|"finished", "group", "check", "host", ...}``, and for a file that cannot be
loaded ``{"event": "broken", "where", "why"}``. A check is a test function; its name for people is its docstring's
first line. SIGTERM ends a run as Ctrl-C does, so that what it made is removed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import traceback
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from haplane.checks.controls import Control
from haplane.config.load import load_inventory
from haplane.config.model import Host, Inventory
from haplane.errors import BadInput
from haplane.streams import shortened

RANK = {"passed": 0, "skipped": 1, "failed": 2}
ORDER = ("reach", "services", "versions", "files", "certificates", "etcd", "endpoint", "tls", "nodes", "cis", "pods")
EMPTY_GROUP = "got empty parameter set"
inventory_key = pytest.StashKey[Inventory]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What ``haplane verify`` passes on; plain ``pytest --pyargs haplane.checks.suites ...`` works too."""
    group = parser.getgroup("haplane")
    group.addoption("--inventory", type=Path, help="the haplane inventory of the cluster to check")
    group.addoption("--facts", type=Path, help="a file with what hosts reported; without it they are queried")
    group.addoption("--with-pods", action="store_true", help="also start pods, in a namespace of their own")
    group.addoption("--suite", default="", help="the name of a user's suite: it begins the names of its groups")
    group.addoption("--unreachable", action="append", default=[], help="a host that is left out")
    group.addoption("--json-lines", action="store_true", help="write each check's result to stdout as one JSON line")


def pytest_configure(config: pytest.Config) -> None:
    """Results are written with --json-lines."""
    config.addinivalue_line("markers", "pods: starts pods in a namespace of its own; only with --with-pods")
    if config.getoption("json_lines"):
        config.pluginmanager.register(JsonLines())


def loaded(config: pytest.Config) -> Inventory:
    """The inventory given with --inventory, loaded once."""
    if inventory_key not in config.stash:
        path: Path | None = config.getoption("inventory")
        if path is None:
            raise pytest.UsageError("give the cluster to check: --inventory FILE")
        try:
            config.stash[inventory_key] = load_inventory(path)
        except BadInput as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[inventory_key]


def pytest_sessionstart(session: pytest.Session) -> None:
    """SIGTERM unwinds like Ctrl-C. Where Python drops the exception (in a ``__del__``), the next check is the end."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        session.shouldstop = "SIGTERM"
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Suites in the order in which a person would look; without --with-pods nothing is changed on the cluster."""
    if not config.getoption("suite"):
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
    """Writes results as they come. Without a reader it goes on silently: teardown matters more."""

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
            suite = item.config.getoption("suite")
            result["message"] = message(call, item.config.rootpath if suite else None)
        return report

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        result = self._results.pop(nodeid)
        if not result["message"].startswith(EMPTY_GROUP):
            self._write({"event": "finished", **result})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            sys.stderr.write(f"{report.longrepr}\n")

    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any], report: object
    ) -> None:
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            where, why = origin(call.excinfo.value, node.config.rootpath)
            self._write({"event": "broken", "where": where, "why": why})

    def pytest_internalerror(self, excrepr: object) -> None:
        sys.stderr.write(f"{excrepr}\n")

    @staticmethod
    def _write(event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"\n{json.dumps(event)}\n")  # a test may have printed half a line
            sys.stdout.flush()


MESSAGE_CHARACTERS = 2000
"""Characters of why a check failed: it may list many files."""


def describe(item: pytest.Item) -> dict[str, str]:
    """A check's group (its file), its name for people, and its host if it has one."""
    function = getattr(item, "function", None)
    documented = (getattr(function, "__doc__", None) or getattr(item, "originalname", None) or item.name).strip()
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    hosts = [value.name for value in parameters.values() if isinstance(value, Host)]
    others = [f"{name}={value}" for name, value in parameters.items() if isinstance(value, str | int | float)]
    for control in parameters.values():
        if isinstance(control, Control):
            documented = f"{control.number} {control.title}"
    suite = item.config.getoption("suite")
    file = item.path.relative_to(item.config.rootpath).with_suffix("").as_posix() if suite else item.path.stem
    return {
        "group": f"{suite}/{file}" if suite else file.removeprefix("test_"),
        "check": " ".join([documented.splitlines()[0].removesuffix("."), *others]),
        "host": ", ".join(hosts),
    }


def message(call: pytest.CallInfo[None], root: Path | None = None) -> str:
    """Why a check failed or was skipped. With the ``root`` of a user's suite, file and line come first."""
    if call.excinfo is None:
        return ""
    error = call.excinfo.value
    known = isinstance(error, AssertionError | pytest.fail.Exception | pytest.skip.Exception)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    if root is not None and not isinstance(error, pytest.skip.Exception):
        text = f"{origin(error, root)[0]}: {text}"
    return shortened(text, MESSAGE_CHARACTERS)


def origin(error: BaseException, root: Path) -> tuple[str, str]:
    """FILE:LINE below ``root`` where an exception was raised, and what it is."""
    cause = error.__cause__ or error
    why = "".join(traceback.format_exception_only(cause)[-1:]).strip()
    if isinstance(cause, SyntaxError) and cause.filename:
        return f"{cause.filename}:{cause.lineno}", why
    frames = traceback.extract_tb(cause.__traceback__)
    mine = [frame for frame in frames if Path(frame.filename).is_relative_to(root)]
    last = (mine or frames)[-1:]
    return (f"{last[0].filename}:{last[0].lineno}" if last else str(root)), why
