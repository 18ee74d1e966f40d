"""Runs the observer as a host does."""

import json
import marshal
import subprocess
import sys
from functools import cache
from types import CodeType

import samples

from haplane.desired.hosts import request_for
from haplane.domain.report_reading import parse_report
from haplane.facts.host_report import observer

REQUEST = request_for(samples.inventory(), samples.manifest())
RUN = "import marshal, sys; exec(marshal.load(sys.stdin.buffer))"


def observe(commands="/sbin", moved=None, edited=(), **changes):
    """The observer as a host runs it: a plain Python, isolated from this project.

    ``commands``: a directory that is looked in first; ``moved``: paths of the host -> where the test has them;
    ``edited``: pairs of a piece of its text and what is there instead.
    """
    assert all(path in observer() for path in moved or {})
    argv = ["/usr/bin/env", "-i", f"PATH={commands}:/usr/sbin:/usr/bin:/sbin:/bin", sys.executable, "-I", "-S", "-c"]
    done = subprocess.run(
        [*argv, RUN, json.dumps(REQUEST | changes)],
        capture_output=True,
        input=marshal.dumps(elsewhere(compiled(edited), moved or {})),
        check=True,
        cwd="/",
    )
    return parse_report("here", done.stdout.decode())


@cache
def compiled(edited):
    """Its code: to compile it each time, as a host does, was most of what its tests took."""
    text = observer()
    for piece, other in edited:
        assert piece in text
        text = text.replace(piece, other)
    return compile(text, "observer", "exec")


def elsewhere(constant, moved):
    """A constant of the code with each of these paths replaced."""
    if isinstance(constant, CodeType):
        return constant.replace(co_consts=elsewhere(constant.co_consts, moved))
    if isinstance(constant, tuple | frozenset):
        return type(constant)(elsewhere(one, moved) for one in constant)
    if isinstance(constant, str):
        for path, place in moved.items():
            constant = constant.replace(path, str(place))
    return constant
