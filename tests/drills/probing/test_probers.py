import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from haplane.drills.probing.client import Client, NoReply
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.timeline import acknowledged_writes, service, stale_reads, steady_seconds
from haplane.drills.probing.writes import lost_writes
from haplane.errors import HaplaneError
from haplane.waiting import wait_until

pytestmark = pytest.mark.timed


def watched(probes, seconds):
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin >= seconds and steady_seconds(probes.lines()) >= 0.3, 10, "steady")


@pytest.mark.parametrize(("fail", "minimum"), [("hang", 0.5), ("500", 0.5), ("refuse", 0.5)])
def test_an_outage_is_measured(api, fail, minimum):
    with endpoint_prober(api.target, "drill") as probes:
        watched(probes, 0.5)
        api.fail = fail
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began >= minimum, 2, "the outage to last")
        api.fail = None
        lasted = time.monotonic() - began
        api.healed.set()
        watched(probes, 1.5)
        requests = probes.stop()
    for kind in ("read", "write"):
        seen = service(requests, kind)
        assert seen.recovered
        # "hang" keeps the ones already waiting: those still answered within their second were no outage
        longest = lasted + 1.0 + seen.late_seconds  # a request's deadline, and what a busy machine was late
        assert (0 if fail == "hang" else minimum - 0.1) <= seen.gap_seconds <= longest
        numbers = [request.number for request in requests if request.kind == kind]
        assert sorted(numbers) == list(range(len(numbers)))
    assert len(requests) <= api.connections <= len(requests) + 2
    acknowledged = acknowledged_writes(requests)
    assert lost_writes(Client(api.target), "drill", acknowledged) == ()


def most_at_once(requests):
    return max(sum(other.sent <= one.sent < other.done for other in requests) for one in requests)


def test_a_silent_server_never_delays_the_schedule(api):
    api.fail = "hang"
    with endpoint_prober(api.target, "drill") as probes:
        wait_until(lambda: len(probes.lines()) >= 40, 5, "forty requests")
        requests = probes.stop()
    assert not any(request.ok for request in requests)
    assert most_at_once(requests) >= 10  # 40 a second that each wait for 1 s: none waits for another
    assert max(request.done - request.sent for request in requests) < 3  # a second each, and a busy machine
    busy = {"TLS handshake: no answer within 1 s"}  # on a machine that is late with its own part
    assert {request.error for request in requests} - busy == {"waiting for the answer: no answer within 1 s"}
    assert service(requests, "write").gap_seconds >= 1.0


def test_a_write_that_vanished_or_changed_is_lost(api):
    with endpoint_prober(api.target, "drill", per_second=100) as probes:
        wait_until(lambda: len(acknowledged_writes(probes.lines())) >= 20, 5, "twenty writes")
        requests = probes.stop()
    del api.stored["write-3"]
    api.stored["write-5"]["data"]["number"] = "6"
    assert lost_writes(Client(api.target), "drill", acknowledged_writes(requests)) == (3, 5)


def test_a_read_that_does_not_find_the_last_acknowledged_write_is_stale(api):
    with endpoint_prober(api.target, "drill", per_second=50) as probes:
        wait_until(lambda: acknowledged_writes(probes.lines()), 5, "a write")
        wait_until(lambda: any(one.kind == "read" and one.ok for one in probes.lines()), 5, "a read")
        assert stale_reads(probes.lines()) == 0
        api.forgets = True
        wait_until(lambda: stale_reads(probes.lines()), 5, "a stale read")


def test_writes_are_read_back_page_by_page(api):
    for number in range(1203):
        api.stored[f"write-{number}"] = {"metadata": {"name": f"write-{number}"}, "data": {"number": str(number)}}
    assert lost_writes(Client(api.target), "drill", range(1205)) == (1203, 1204)


def open_files(process):
    """Those that were closed between the list and the look are left out: connections come and go."""
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(entry.readlink())


def test_the_prober_ends_with_its_parent_and_shows_no_key(api):
    with endpoint_prober(api.target, "drill") as probes:
        wait_until(probes.lines, 5, "a request")
        process = probes._process
        command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
        environment = Path(f"/proc/{process.pid}/environ").read_text()
        files = set(open_files(process.pid))
    assert process.returncode == 0
    assert "BEGIN" not in command_line + environment
    assert not any(name.endswith(".pem") for name in files)
    assert "PRIVATE" not in repr(api.target)


def test_a_prober_that_dies_says_why(api):
    with endpoint_prober(api.target, "drill") as probes:
        wait_until(probes.lines, 5, "a request")
        probes._process.send_signal(signal.SIGKILL)
        probes._process.wait()
        with pytest.raises(HaplaneError, match="the prober failed"):
            probes.lines()


def test_a_server_of_another_authority_gets_no_request(api, stranger):
    mistaken = replace(stranger.target, ca=api.target.ca)
    with pytest.raises(NoReply, match="TLS handshake: SSLCertVerificationError"):
        Client(mistaken).request("GET", "/readyz")
