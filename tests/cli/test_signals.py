"""Signals end a run, whatever it is doing."""

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from haplane.cli.signals import HEARD

HEADER = """
import haplane.__main__, os, sys, time
from haplane.cli.signals import end_on_signals
"""
BUSY = f"""{HEADER}
import threading

def work():
    print("ready", flush=True)
    while True:
        sum(range(20000))
        time.sleep(0)

end_on_signals()
threading.Thread(target=work, daemon=True).start()
try:
    threading.Event().wait(60)
except KeyboardInterrupt:
    sys.exit(41)
"""
FINALISING = f"""{HEADER}
import logging, threading

class Elsewhere(threading.Thread):
    def run(self):
        self.locked = logging._lock.acquire(blocking=False)
        if self.locked:
            logging._lock.release()

end_on_signals()
deadline = time.monotonic() + 40
for _ in range({(TIMES := 400)}):
    try:
        print("ready", flush=True)
        while time.monotonic() < deadline:
            for _ in range(20):
                logging.NullHandler()  # nobody keeps it: logging takes its lock where it is finalised
            time.sleep(0)
        sys.exit("a signal was lost")
    except KeyboardInterrupt:
        other = Elsewhere()
        other.start()
        other.join()
        if not other.locked:
            sys.exit("logging's lock was left taken")
sys.exit(41)
"""
ASKING = f"""{HEADER}
from haplane.cli.run import agree
from click import Abort

end_on_signals()
try:
    agree("Go ahead?")
except Abort:
    sys.exit(41)
"""
WAITING_FOR_NOTHING = f"""{HEADER}
end_on_signals()
print("ready", flush=True)
try:
    os.read(0, 1)
except KeyboardInterrupt:
    sys.exit(41)
"""
ENDING = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(autouse=True)
def interrupts_are_heeded():
    """What a shell puts into the background ignores them, and so would all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def start(script, **streams):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    with subprocess.Popen([sys.executable, "-c", script], **streams) as run:
        try:
            yield run
        finally:
            run.kill()


@ENDING
def test_a_signal_that_meets_a_busy_thread_ends_the_run(number):
    with start(BUSY) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        _, said = run.communicate(timeout=50)
    assert (run.returncode, said) == (41, HEARD)


def test_signals_that_meet_finalisers_are_neither_lost_nor_leave_a_lock_taken():
    with start(FINALISING) as run:
        while run.stdout.readline():
            run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=50)
    assert (run.returncode, set(said.splitlines(keepends=True))) == (41, {HEARD})


@ENDING
@pytest.mark.parametrize("terminal", [True, False])
def test_a_question_is_ended_at_once(number, terminal):
    ours, theirs = pty.openpty() if terminal else os.pipe()[::-1]
    try:
        with start(ASKING, stdin=theirs) as run:
            assert os.read(run.stderr.fileno(), 100).startswith(b"Go ahead?")
            time.sleep(0.5)  # Python does not look for signals from here until it reads
            run.send_signal(number)
            assert run.wait(50) == 41
    finally:
        os.close(ours)
        os.close(theirs)


@ENDING
def test_a_second_signal_ends_what_waits_for_nothing(number):
    with start(WAITING_FOR_NOTHING, stdin=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(1)
        run.send_signal(number)
        assert run.wait(50) == 41


def test_what_ignores_interrupts_goes_on_ignoring_them():
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{BUSY}".replace("wait(60)", "wait(2)")
    with start(ignoring) as run:
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(50) == 0
