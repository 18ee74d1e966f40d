"""The scripts on hosts when programs, files and sockets there say anything at all: an answer, never a traceback."""

import contextlib
import io
import json
import socket
import subprocess
import sys
import threading

import pytest
import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.checks.host_facts import HOST_FACTS
from haplane.desired.hosts import request_for
from haplane.domain.observed import HostReport
from haplane.domain.report_reading import parse_report
from haplane.errors import HaplaneError
from haplane.facts.host_report import observer
from haplane.host_programs import program

REQUEST = request_for(samples.inventory(), samples.manifest())
KEYS = st.sampled_from(["items", "kind", "metadata", "name", "members", "Status", "ifname", "addr_info"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
UNIT = "Id=x\nLoadState=loaded\nStateChangeTimestampMonotonic="
SAID = (
    st.none() | st.text(max_size=40) | JSON | st.sampled_from(["[" * 100_000, UNIT, f"{UNIT}soon", ": :", "a b c d"])
)


def functions(text):
    """A script's names, without its having run."""
    names = {"__name__": "script"}
    exec(compile(text.removesuffix("\nmain()\n"), "script", "exec"), names)
    return names


OBSERVER = functions(observer())
CHECKER = functions(program(*HOST_FACTS))


@settings(max_examples=80, deadline=None)
@given(SAID, SAID)
def test_the_observer_gives_a_report(said, read):
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as written:
        done = subprocess.CompletedProcess((), said is None, said or "", "")
        patch.setitem(OBSERVER, "completed", lambda *_, **__: done)
        patch.setitem(OBSERVER, "read", lambda _: read)
        patch.setitem(OBSERVER, "ask", lambda _, config, paths: dict.fromkeys(paths, json.loads(config)))
        patch.setattr(sys, "argv", ["observe.py", json.dumps(REQUEST)])
        OBSERVER["main"]()
    try:
        assert isinstance(parse_report("m1", written.getvalue()), HostReport)
    except HaplaneError as error:
        assert error.next_step


@pytest.mark.parametrize("script", [OBSERVER, CHECKER], ids=["observer", "checks"])
@settings(max_examples=60, deadline=None)
@given(answer=st.binary(max_size=80) | st.text(alphabet=",a\n#", max_size=80).map(str.encode))
def test_whatever_haproxy_says_on_its_socket(script, answer):
    ours, theirs = socket.socketpair()

    class Admin(socket.socket):
        def __init__(self, *_):
            super().__init__(fileno=ours.detach())

        def connect(self, _):
            threading.Thread(target=say).start()

    def say():
        with theirs, contextlib.suppress(OSError):
            theirs.recv(100)
            theirs.sendall(answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script["socket"], "socket", Admin)
        found = script["haproxy_servers"]()
    assert found is None or all(set(server) == {"backend", "name", "status"} for server in found)
