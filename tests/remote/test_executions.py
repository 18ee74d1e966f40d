"""What is reported of commands over OpenSSH: everything but what may be secret."""

import re
from pathlib import Path

import leak_search
import pytest

from haplane.cli.run_log import RunLog
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote import openssh

SECRET = "vPq8dLx2Kc5nZt7Wb4Yh1Jr6"


@pytest.fixture
def host(machines):
    return machines[0].masters[0]


@pytest.fixture
def logged(tmp_path):
    path = tmp_path / "run.log"
    log = RunLog(path, path.open("w"), pytest.fail)
    yield path.read_text
    log.end(0)


def test_input_and_output_that_may_be_secret_are_not_in_it(host, logged, tmp_path):
    file = Path(tmp_path / "key")
    file.write_text(SECRET)
    assert openssh.run(host, "cat", stdin=SECRET.encode()).decode() == SECRET
    assert openssh.read_files(host, [str(file)])[str(file)].decode() == SECRET
    text = logged()
    assert text.count("m1: exit 0, ") == 2
    assert f"({len(SECRET)} bytes, not logged)" in text
    assert leak_search.in_text(text, leak_search.in_other_clothes({"key": [SECRET]})) == []


def test_a_failure_has_its_exit_status_and_standard_error(host, logged):
    with pytest.raises(HaplaneError):
        openssh.run(host, "sh", "-c", "echo why >&2; exit 3")
    assert "m1: exit 3, " in logged()
    assert "    | why\n" in logged()


def test_a_command_that_hangs_has_no_exit_status(host, logged):
    with pytest.raises(DeadlinePassed):
        openssh.run(host, "sleep", "60", deadline_seconds=1)
    assert re.search(r"m1: no exit status, \d+\.\d\d s: sleep 60$", logged(), re.M)
