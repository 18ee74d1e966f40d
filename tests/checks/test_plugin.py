"""The plugin as ``haplane verify`` uses it: pytest in a process of its own, over suites written here."""

import json
import signal
import subprocess
import sys

SUITE = '''
import pytest
from pathlib import Path

@pytest.fixture
def broken():
    raise RuntimeError("no ground to stand on")

@pytest.fixture
def lasting():
    yield
    Path(__file__).with_name("removed").touch()

def test_good():
    """Holds."""

def test_bad():
    """Does not hold.

    And more words.
    """
    problems = ["one", "two"]
    assert not problems, "\\n".join(problems)

def test_left_out():
    """Left out."""
    pytest.skip("no reason at all")

def test_error(broken):
    """Stumbles."""

@pytest.mark.parametrize("nobody", [])
def test_nobody(nobody):
    """Of nobody."""

@pytest.mark.pods
def test_changes(lasting):
    """Changes something."""
    import time
    time.sleep(30)
'''


def start(tmp_path, *options):
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:terminal"]
    command += [
        "-p",
        "haplane.checks.plugin",
        "--capture=no",
        "--assert=plain",
        "--json-lines",
        *options,
        str(tmp_path),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_results_are_told_in_the_checks_own_words(tmp_path):
    run = start(tmp_path)
    events = [json.loads(line) for line in run.communicate(timeout=60)[0].splitlines() if line]
    finished = {
        event["check"]: (event["outcome"], event["message"]) for event in events if event["event"] == "finished"
    }
    assert finished == {
        "Holds": ("passed", ""),
        "Does not hold": ("failed", "one\ntwo"),
        "Left out": ("skipped", "no reason at all"),
        "Stumbles": ("failed", "RuntimeError: no ground to stand on"),
    }
    assert {event["group"] for event in events} == {"suite"}
    assert run.returncode == 1


def test_what_was_made_is_removed_after_sigterm(tmp_path):
    run = start(tmp_path, "--with-pods", "-k", "changes")
    assert run.stdout.readline() == "\n"
    assert "Changes something" in run.stdout.readline()
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert (tmp_path / "removed").exists()


def test_it_goes_on_without_a_reader(tmp_path):
    run = start(tmp_path, "--with-pods", "-k", "good or changes")
    run.stdout.readline()
    run.stdout.readline()
    run.stdout.close()
    run.send_signal(signal.SIGTERM)
    run.wait(timeout=60)
    assert run.returncode == 2  # interrupted, not broken
