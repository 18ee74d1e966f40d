"""A fault ends however the controller does."""

import signal
import subprocess
import sys

import pytest

from haplane.errors import HaplaneError
from haplane.machines import watchdog
from haplane.machines.watchdog import Watchdog, beside_us
from haplane.waiting import wait_until

CONTROLLER = """
import signal, sys, time
from haplane.machines.watchdog import beside_us
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so would this
with beside_us("here", ["touch", sys.argv[1]], ["touch", sys.argv[2]], 60) as armed:
    armed.apply()
    print("applied", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def files(tmp_path):
    return tmp_path / "applied", tmp_path / "undone"


def armed(files, seconds=60):
    return beside_us("here", ["touch", str(files[0])], ["touch", str(files[1])], seconds)


def test_the_undo_is_armed_before_the_fault_and_runs_after_it(files):
    applied, undone = files
    with armed(files) as fault:
        assert not applied.exists()
        fault.apply()
        assert applied.exists()
        assert not undone.exists()
    assert undone.exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_fault_ends_when_its_controller_does(files, ending):
    command = [sys.executable, "-c", CONTROLLER, *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as controller:
        assert controller.stdout.readline() == b"applied\n"
        controller.send_signal(ending)
    wait_until(files[1].exists, 20, "the watchdog undid the fault")


def test_a_fault_ends_when_its_time_is_up(files):
    with pytest.raises(HaplaneError, match="ended before the drill did"), armed(files, seconds=1) as fault:
        fault.apply()
        wait_until(files[1].exists, 20, "the watchdog undid the fault by itself")
        wait_until(lambda: fault._process.poll() is not None, 20, "the watchdog ended")


def test_a_frozen_controller_counts_as_gone(files, tmp_path):
    """A cut cable sends no end of input: silence does."""
    program = watchdog.PROGRAM.replace("SILENCE_SECONDS = 8.0", "SILENCE_SECONDS = 0.5")
    settings = {"apply": ["true"], "undo": ["touch", str(files[1])], "seconds": 60, "keep": None}
    fault = Watchdog("here", [sys.executable, "-I", "-c", program], settings, "by hand")
    fault._beat = lambda: None
    with pytest.raises(HaplaneError, match="ended before the drill did"), fault:
        wait_until(files[1].exists, 20, "the watchdog undid the fault")
        wait_until(lambda: fault._process.poll() is not None, 20, "the watchdog ended")


def test_a_fault_that_cannot_be_caused_is_an_error_with_its_reason_and_is_undone(files):
    broken = beside_us("m1", ["sh", "-c", "echo no such unit; exit 1"], ["touch", str(files[1])], 60)
    with pytest.raises(HaplaneError) as caught, broken as fault:
        fault.apply()
    assert caught.value.why == "no such unit"
    assert files[1].exists()


def test_a_watchdog_that_cannot_start_breaks_nothing(files):
    with (
        pytest.raises(HaplaneError, match="nothing was broken") as caught,
        Watchdog("m1", ["sh", "-c", "echo denied >&2"], {}, "by hand"),
    ):
        raise AssertionError("it must not be entered")
    assert caught.value.why == "denied"


def test_the_undo_is_kept_as_a_file_until_it_has_run(files, tmp_path):
    """For systemd, which runs it should the watchdog itself be killed."""
    kept = tmp_path / "run" / "undo"
    settings = {"apply": ["true"], "undo": ["sh", "-c", f"touch {files[1]}"], "seconds": 60, "keep": str(kept)}
    with Watchdog("here", [sys.executable, "-I", "-c", watchdog.PROGRAM], settings, "by hand"):
        assert kept.read_text() == f"touch {files[1]}"
        assert kept.stat().st_mode & 0o777 == 0o600
    assert not kept.exists()
    assert files[1].exists()


@pytest.mark.parametrize("answer", ["{nothing", '{"code": "x"}', '{"output": "done"}', "{}"])
@pytest.mark.parametrize("step", ["undo", "apply"])
def test_an_answer_that_is_none_is_an_error_that_ends_with_the_undo(answer, step):
    """JSONDecodeError and KeyError ended the drill with a traceback, and nobody learned how to end the fault."""
    talk = (
        f"read settings; echo '{{\"armed\": true}}'; while read line; do test -z \"$line\" || echo '{answer}'; done"
    )
    with pytest.raises(HaplaneError) as caught, Watchdog("m1", ["sh", "-c", talk], {}, "pull the plug") as fault:
        getattr(fault, step)()
    assert "pull the plug" in str(caught.value)
