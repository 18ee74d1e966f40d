"""The log of a run: what is in it, who can read it, what is never in it, and that it stops nobody."""

import errno
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from haplane.cli import run_log
from haplane.cli.run import json_option, reports_errors
from haplane.domain.plan import Kind
from haplane.domain.timetable import done, took
from haplane.errors import ExitCode, Refused
from haplane.remote.executions import LOGGER, Execution, executing

NOW = datetime(2026, 11, 28, 20, 15, 1, tzinfo=UTC)


def invoke(act, *arguments):
    @click.command("try-it")
    @json_option
    @reports_errors
    def command(output):
        return act(output)

    return CliRunner().invoke(command, arguments)


def on_host(output="done", code=0, command="systemctl start etcd"):
    with executing("m1", command) as execution:
        execution.code, execution.output = code, output


def act(output):
    output.progress("m1", "pushing", 0.5)
    output.progress("up", "Start etcd")
    on_host("line 1\nline 2", code=3)
    output.warn("warning: a warning")
    raise Refused("unsafe", where="m1", why="2 of 3")


def without_seconds(text):
    return re.sub(r"\d+\.\d\d s", "# s", text)


def listening():
    """pytest adds handlers of its own."""
    return [handler for handler in LOGGER.handlers if type(handler).__module__.startswith("haplane.")]


@pytest.fixture
def text(state):
    return lambda: "".join(path.read_text() for path in (state / "log").iterdir())


def test_the_next_upgrade_reads_how_long_steps_took(state):
    """From logs of that cluster's upgrades alone; one that is cut short, or nobody's, is no reason to fail."""
    assert list(run_log.earlier_lines("prod-upgrade")) == []
    for name, seconds in (("prod-upgrade", 21.4), ("prod-upgrade", 30), ("prod-2-upgrade", 99), ("prod-up", 99)):
        log = run_log.RunLog(*run_log.open_log(name, NOW), pytest.fail)
        log.write(f"m1: {done(Kind.UPGRADE_ETCD, seconds)}", output="m2: done: upgrade etcd (77 s)")
        log.end(0)
    (state / "log" / "prod-upgrade-20261128T201502Z.log").mkdir()
    found = took(run_log.earlier_lines("prod-upgrade"))
    assert {kind: sorted(seconds) for kind, seconds in found.items()} == {Kind.UPGRADE_ETCD: [21, 30]}


def test_commands_messages_and_the_error_with_its_traceback_are_in_it_and_it_is_named(state, text):
    result = invoke(act)
    (path,) = (state / "log").iterdir()
    assert path.name.startswith("try-it-2")
    assert result.stderr.endswith(f"  why: 2 of 3\nlog: {path}\n")
    lines = [line.partition("Z  ")[2] or line for line in text().splitlines()]
    lines[2] = without_seconds(lines[2])
    assert lines[1:7] == [
        "up: Start etcd",
        "m1: exit 3, # s: systemctl start etcd",
        "    | line 1",
        "    | line 2",
        "warning: a warning",
        "error",
    ]
    assert "    | Traceback (most recent call last):" in lines
    assert lines[-1] == "exit code 4"
    assert not listening()


def test_nobody_else_can_read_it(state):
    (state / "log").mkdir(parents=True, mode=0o755)
    invoke(act)
    assert (state / "log").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (state / "log").iterdir()} == {0o600}


def test_a_success_does_not_speak_of_it(state):
    assert "log:" not in invoke(lambda output: output.line("fine")).output
    assert len(list((state / "log").iterdir())) == 1


def test_what_people_would_have_been_told_is_in_the_log_of_a_json_run(text):
    """A check of `verify --json` that failed on a machine which was gone an hour later was nowhere."""
    result = invoke(lambda output: output.line("FAILED: pods: test_dns"), "--json")
    assert result.output == ""
    assert "FAILED: pods: test_dns" in text()


def test_what_is_done_but_not_everywhere_names_it_too(state):
    assert "log: " in invoke(lambda _: ExitCode.INCOMPLETE).stderr


def test_a_home_that_cannot_be_written_is_one_warning(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    result = invoke(act)
    assert result.exit_code == 4
    assert result.stderr.count("this run has no log") == 1
    assert "log: " not in result.stderr.splitlines()[-1]


def test_no_home_at_all_is_one_warning(monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home directory")))
    assert invoke(act).stderr.count("this run has no log: no home directory") == 1


def test_a_disk_that_fills_up_is_one_warning_and_the_run_goes_on(tmp_path):
    class Full:
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    warnings = []
    log = run_log.RunLog(tmp_path / "x.log", Full(), warnings.append)
    for _ in range(3):
        on_host()
    log.end(0)
    assert len(warnings) == 1
    assert "No space left on device" in warnings[0]


def opened(name, now=NOW):
    path, file = run_log.open_log(name, now)
    file.close()
    return path


def test_two_runs_in_one_second_have_a_file_each(state):
    assert opened("lab-up").name == "lab-up-20261128T201501Z.log"
    assert opened("lab-up").name == "lab-up-20261128T201501Z-1.log"


def test_a_verb_that_runs_every_minute_does_not_push_the_others_out(state, monkeypatch):
    monkeypatch.setattr(run_log, "KEPT_RUNS", 3)
    first = opened("lab-up")
    for number in range(6):
        path = opened("lab-status")
        os.utime(path, (number, number))
    assert first.exists()
    names = {path.name for path in path.parent.glob("lab-status-*")}
    assert len(names) == 3
    assert path.name in names


def test_a_log_that_another_run_removes_meanwhile_costs_none(state):
    """Both list the same old ones; a link to nothing is one that is gone when it is looked at."""
    run_log.open_log("up", NOW)[1].close()
    (state / "log" / "up-20261101T000000Z.log").symlink_to("gone")
    path, file = run_log.open_log("up", NOW)
    file.close()
    assert path.exists()


def test_all_logs_together_have_a_bound(state, monkeypatch):
    monkeypatch.setattr(run_log, "KEPT_BYTES", 1000)
    for number, name in enumerate(("a-up", "b-up", "c-up")):
        path = opened(name)
        path.write_text("x" * 600)
        os.utime(path, (number, number))
    assert {path.name[:4] for path in [opened("d-up"), *path.parent.glob("*.log")]} == {"c-up", "d-up"}


def test_a_run_that_never_ends_stops_writing_but_for_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(run_log, "LOG_BYTES", 2000)
    path = tmp_path / "x.log"
    log = run_log.RunLog(path, path.open("w"), pytest.fail)
    for _ in range(1000):
        on_host()
    error = Refused("unsafe")
    log.error(error, error)
    log.end(4)
    written = path.read_text()
    assert len(written) < 4000
    assert written.count("this log is full") == 1
    assert "unsafe" in written
    assert written.endswith("exit code 4\n")


def test_long_output_keeps_its_beginning_and_its_end(tmp_path):
    shown = run_log.shortened_output("begin" + "x" * 100_000 + "end")
    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert len(shown) < run_log.OUTPUT_CHARACTERS + 100
    line = run_log.described(Execution("m1", "sh -c '\n" + "y" * 100_000 + "'"))
    assert "\n" not in line
    assert len(line) < run_log.COMMAND_CHARACTERS + 200


def test_what_a_host_sends_cannot_pass_for_a_line_of_the_log_or_steer_a_terminal(text):
    forged = "x\n2026-11-28 20:15:01.000Z  m2: exit 0\r\x1b[2J\x1b]0;title\x07\tend"

    def act(output):
        output.progress("m1", forged)
        on_host(forged)
        raise Refused(forged)

    invoke(act)
    assert text().count("m2: exit 0") >= 4
    assert not [line for line in text().splitlines() if line.startswith("2026-11-28 20:15:01.000Z")]
    assert not set(text()) & set("\x1b\x07\r\t")


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMHcCAQEEIA",
        "AGE-SECRET-KEY-1QQQQQQQQQQ",
        "https://me:hunter2@mirror.test/",
        "aws_secret_access_key = hunter2",
        "Authorization: Basic aHVudGVyMg==",
        "abcdef.0123456789abcdef",
        "eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl",
        "client-key-data: LS0tLS1CRUdJTg==",
        '"secret": "c2VjcmV0c2VjcmV0"',
    ],
)
def test_what_looks_like_a_secret_is_not_written(text, secret):
    def act(output):
        on_host(f"before\n{secret}\nafter")
        on_host("x" * 1010 + secret + "y" * 5000 + secret + "z" * 2990)  # cut in the middle of it, twice
        output.line(f"kubeadm join {secret}")
        raise ValueError(secret)

    invoke(act)
    for word in secret.replace('"secret": ', "").replace("client-key-data: ", "").splitlines():
        assert word.strip('"') not in text()


def test_v_prints_commands_as_they_start_and_vv_their_output_also_with_json():
    def act(output):
        on_host("line 1", code=2)
        output.document({})

    for words in ((), ("--json",)):
        assert invoke(act, "-v", *words).stderr == "m1: $ systemctl start etcd\n"
        loud = invoke(act, "-vv", *words)
        assert without_seconds(loud.stderr) == "m1: exit 2, # s: systemctl start etcd\n    | line 1\n"
    assert loud.stdout == "{}\n"
    assert not listening()
