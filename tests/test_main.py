"""Signals end a run, whatever it is doing."""

import signal
import subprocess
import sys

import pytest

BUSY = """
import haplane.__main__ as entry
import sys, threading, time

def work():
    print("ready", flush=True)
    while True:
        sum(range(20000))
        time.sleep(0)

entry.end_on_signals()
threading.Thread(target=work, daemon=True).start()
try:
    threading.Event().wait(60)
except KeyboardInterrupt:
    sys.exit(41)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_meets_a_busy_thread_ends_the_run(number):
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        _, said = run.communicate(timeout=50)
    assert (run.returncode, said) == (41, b"")


def test_what_ignores_interrupts_goes_on_ignoring_them():
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{BUSY}".replace("wait(60)", "wait(2)")
    with subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(50) == 0
