"""Reads an inventory file as pyinfra does: its module-level lists are groups. Nothing is validated but the shape."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from haplane.config.problem import ABSENT, Problem, unknown, without_secrets
from haplane.errors import BadInput
from haplane.private import refuse_everybodys

STDOUT, STDERR = 1, 2
GROUPS = ("masters", "load_balancers", "etcd", "workers", "leaving")
GIVE_ONE = "give the path of an inventory file"
EXAMPLE = 'write hosts as ("m1", {"address": "10.0.0.11"})'

Data = Mapping[object, object]


@dataclass(frozen=True)
class Member:
    """One line of a group: a host's name, its own data, and the data of the whole group."""

    name: str
    own: Data
    shared: Data

    @property
    def data(self) -> Data:
        """Both, the host's own going first."""
        return {**self.shared, **self.own}


@dataclass(frozen=True)
class Source:
    """An inventory file as written, every group present. ``wrong`` are the groups whose shape is wrong."""

    cluster: object
    groups: Mapping[str, tuple[Member, ...]]
    wrong: frozenset[str]
    problems: tuple[Problem, ...]


def read(path: Path) -> Source:
    """The groups and settings of an inventory file. Raises BadInput when it cannot be read or run."""
    names = {name: value for name, value in _run(path).items() if not name.startswith("_")}
    groups: dict[str, tuple[Member, ...]] = dict.fromkeys(GROUPS, ())
    wrong: set[str] = set()
    found: list[Problem] = []
    for name, value in names.items():
        if name in GROUPS:
            members, mistakes = _group(name, value)
            groups[name] = members
            found += mistakes
            wrong |= {name} if mistakes else set()
        elif isinstance(value, list | tuple) and name != "cluster":
            found.append(unknown(name, name, value, GROUPS, kind="group"))
        elif isinstance(value, dict) and name != "cluster":
            found.append(unknown(name, name, value, ("cluster",)))
    return Source(names.get("cluster", ABSENT), groups, frozenset(wrong), tuple(found))


def _run(path: Path) -> dict[str, object]:
    where = str(path)
    try:
        _refuse_unreadable(path)
        refuse_everybodys(path, "this inventory, which is a program that you run")
        # What the file prints must not reach stdout: with --json that holds one document and nothing else.
        with _staying_here(), contextlib.redirect_stdout(sys.stderr), _stdout_as_stderr():
            return runpy.run_path(where)
    except (BadInput, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        if error.lineno is None:  # not even text
            raise BadInput(f"{where} is not valid Python: {error.msg}", where=where, next_step=GIVE_ONE) from None
        message = f"{where} is not valid Python, line {error.lineno}: {error.msg}"
        raise BadInput(message, where=where, next_step="correct that line") from None
    except OSError as error:
        raise _failed(path, error, "cannot be read or run") from None
    except BaseException as error:  # noqa: BLE001 - the file is a program of the user's and may raise anything
        raise _failed(path, error, "ended with an error") from None


@contextlib.contextmanager
def _staying_here() -> Iterator[None]:
    """Paths are relative to where haplane was started, wherever the file goes."""
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)


@contextlib.contextmanager
def _stdout_as_stderr() -> Iterator[None]:
    """The same for what writes past Python's stream, be it a program that the file starts."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)


def _refuse_unreadable(path: Path) -> None:
    """Raises BadInput for what is no file, or not the user's to read."""
    if not path.exists():
        raise BadInput("there is no such inventory file", where=str(path), next_step=GIVE_ONE)
    if not path.is_file():
        raise BadInput("an inventory is a file, and this is none", where=str(path), next_step=GIVE_ONE)
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadInput(
            "this inventory cannot be read",
            where=str(path),
            why=error.strerror,
            next_step="make it readable for the user who runs haplane",
        ) from None


def _failed(path: Path, error: BaseException, what: str) -> BadInput:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = f", line {lines[-1]}" if lines else ""
    try:
        message = without_secrets(" ".join(str(error).split()))
    except Exception:  # noqa: BLE001 - an exception of the user's may fail to describe itself
        message = ""
    return BadInput(
        f"{path} {what}{line}: {type(error).__name__}: {message}",
        where=str(path),
        next_step="run it with python to see the error; an inventory should only name hosts and settings",
    )


def _group(group: str, value: object) -> tuple[tuple[Member, ...], list[Problem]]:
    """The hosts of one group, and what is wrong with its shape: a list, or a tuple of a list and a mapping."""
    items: object = value
    shared: object = {}
    if isinstance(value, tuple) and len(value) == 2:
        items, shared = value
    if not isinstance(items, list) or not isinstance(shared, dict):
        return (), [Problem(group, value, "neither a list of hosts nor a (list, mapping) pair", EXAMPLE)]
    members: list[Member] = []
    mistakes: list[Problem] = []
    for position, item in enumerate(items, start=1):
        match item:
            case str():
                members.append(Member(item, {}, shared))
            case (str() as name, dict() as own) if isinstance(item, tuple):
                members.append(Member(name, own, shared))
            case _:
                mistakes.append(Problem(f"{group}: item {position}", item, "not a host", EXAMPLE))
    return tuple(members), mistakes


def by_host(groups: Mapping[str, tuple[Member, ...]]) -> Iterator[tuple[str, str, tuple[tuple[str, Member], ...]]]:
    """Each host once: its name, ``GROUP: NAME`` where it is first written, and all its (group, member) pairs."""
    places: dict[str, list[tuple[str, Member]]] = {}
    for group in GROUPS:
        for member in groups[group]:
            places.setdefault(member.name, []).append((group, member))
    for name, pairs in places.items():
        yield name, f"{pairs[0][0]}: {name}", tuple(pairs)
