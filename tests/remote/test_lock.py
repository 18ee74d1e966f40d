"""The lock with real sshds and real processes, which are stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from other_run import Controller

from haplane.config.model import Inventory
from haplane.domain.progress import silent
from haplane.errors import ExitCode, HaplaneError, Locked, LockLost, Unreachable
from haplane.remote import openssh
from haplane.remote.connection import is_gone
from haplane.remote.lock import HEARTBEAT_SECONDS, locked
from haplane.waiting import wait_until

from .conftest import FakeHost

pytestmark = pytest.mark.timed
SLACK = 6.0
"""Seconds that a busy machine may need to take a free lock; still below the 8 that only a lost heartbeat takes."""

Machines = tuple[Inventory, dict[str, "FakeHost"]]


@pytest.fixture
def inventory(machines: Machines) -> Inventory:
    return machines[0]


@pytest.fixture
def hosts(machines: Machines) -> dict[str, FakeHost]:
    return machines[1]


@pytest.fixture
def controller(inventory: Inventory, tmp_path: Path) -> Iterator[Controller]:
    """A run that holds the lock."""
    controller = Controller(inventory, tmp_path)
    try:
        assert controller.says(60) == "held"
        yield controller
    finally:
        controller.kill()
        seconds_until_free(inventory, 12)


def seconds_until_free(inventory: Inventory, limit: float) -> float:
    """How long it takes until a run gets the lock."""
    start = time.monotonic()
    while True:
        try:
            with locked(inventory, inventory.hosts, "haplane up ours.py", silent):
                return time.monotonic() - start
        except Locked:
            assert time.monotonic() < start + limit, "the lock is not given up"


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_second_run_is_told_who_holds_it(inventory: Inventory, controller: Controller) -> None:
    with pytest.raises(Locked) as refused, locked(inventory, inventory.hosts, "haplane up", silent):
        pass
    assert refused.value.exit_code is ExitCode.LOCKED
    told = str(refused.value)
    assert "`haplane up theirs.py`" in told
    assert f"by root on {os.uname().nodename} since 20" in told
    controller.do("shell true")
    assert controller.says() == "done"


def test_it_is_free_as_soon_as_the_run_has_ended(inventory: Inventory) -> None:
    for _ in range(2):
        with locked(inventory, inventory.hosts, "haplane up", silent) as lock:
            lock.check()
            shell = cast(str, lock.inventory.masters[0].ssh.shell)
    with pytest.raises(HaplaneError):
        openssh.run(lock.inventory.masters[0], "true")
    assert shell.split()[-1] not in openssh.run(inventory.masters[0], "ls", "/run/haplane").decode()


ANCESTORS = """
one=$$
while [ "$one" -gt 1 ]; do
    tr '\\0' ' ' < /proc/$one/cmdline
    echo
    one=$(ps -o ppid= -p "$one" | tr -d ' ')
done
"""


def test_sudo_is_on_the_outside(inventory: Inventory) -> None:
    host = inventory.masters[0]
    other = host.model_copy(update={"ssh": host.ssh.model_copy(update={"sudo": True})})
    masters = (other, *inventory.masters[1:])
    with locked(inventory.model_copy(update={"masters": masters}), masters, "haplane up", silent) as lock:
        said = openssh.run(lock.inventory.masters[0], "sh", "-c", f"echo $HAPLANE_RUN; {ANCESTORS}").decode()
    shell, *ancestors = said.splitlines()
    assert f"sh {shell}" == lock.inventory.masters[0].ssh.shell
    assert any(words.startswith("sudo -n env -i PATH=") for words in ancestors)


def test_a_busy_run_keeps_it(inventory: Inventory, controller: Controller) -> None:
    controller.do("shell sleep 10")
    assert controller.says() == "done"
    with pytest.raises(Locked), locked(inventory, inventory.hosts, "haplane up", silent):
        pass


def test_it_is_kept_by_threads_that_are_not_greenlets(inventory: Inventory) -> None:
    with locked(inventory, inventory.hosts, "haplane up", silent) as lock:
        time.sleep(10)
        lock.check()


def test_a_killed_run_frees_it_at_once_and_what_it_started_ends(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    controller.do(f"shell touch {tmp_path}/started; sleep 30; touch {tmp_path}/late")
    until((tmp_path / "started").exists)
    controller.process.kill()
    assert seconds_until_free(inventory, 12) < 2 + SLACK
    assert not any(host.processes("/late") for host in hosts.values())
    assert not (tmp_path / "late").exists()


def test_a_frozen_run_loses_it_and_changes_nothing_when_it_thaws(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    controller.do(f"shell touch {tmp_path}/before")
    assert controller.says() == "done"
    controller.do(f"shell touch {tmp_path}/started; sleep 30; touch {tmp_path}/late")
    until((tmp_path / "started").exists)
    controller.pause()
    controller.do(f"shell touch {tmp_path}/after")
    assert 5 < seconds_until_free(inventory, 12) < 10 + SLACK
    with locked(inventory, inventory.hosts, "haplane up", silent):
        controller.resume()
        assert "A change" in controller.says()
        assert "LockLost: the lock was lost on lb1, m1, m2, m3" in controller.says()
        assert controller.process.wait(10) == ExitCode.FAILED
        assert not any(host.processes("/late") for host in hosts.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "inventory.pickle", "started"]


def test_an_upload_of_a_frozen_run_never_takes_its_place(
    inventory: Inventory, controller: Controller, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.touch()
    os.truncate(source, 600 << 20)
    controller.do(f"push {source} {target}")
    until(lambda: list(tmp_path.glob("target*")), 60)  # 600 MiB are hashed first
    controller.pause()
    assert not target.exists()
    assert seconds_until_free(inventory, 12) < 10 + SLACK
    controller.resume()
    assert "pushing files to m1 failed" in controller.says()
    assert not target.exists()


def cut_cables(hosts: Sequence[FakeHost]) -> Callable[[], None]:
    """Stop the connections' ends on these hosts: nothing arrives, nobody is told. Returns what mends them."""
    stopped = [process for host in hosts for process in host.processes("sshd: root@")]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)

    def mend() -> None:
        for process in stopped:
            os.kill(process, signal.SIGCONT)

    return mend


def test_a_cut_cable_frees_it(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    mend = cut_cables(list(hosts.values()))
    assert 5 < seconds_until_free(inventory, 12) < 10 + SLACK
    mend()
    controller.do(f"shell touch {tmp_path}/after")
    ended = controller.says()
    assert "failed" in ended or "cannot be reached" in ended  # whether it had hung up on them by itself already
    assert "the lock was lost on lb1, m1, m2, m3" in controller.says()
    assert not (tmp_path / "after").exists()


def set_to_work(controller: Controller, verb: str, seconds: int, directory: Path) -> None:
    """Until all masters are at it; it leaves the file ``ended`` when it was not broken off."""
    controller.do(f"{verb} mktemp {directory}/begun.XXXXXX; sleep {seconds}; touch {directory}/ended")
    wait_until(lambda: len(list(directory.glob("begun.*"))) == 3, 20, "all masters are at it", every=0.1)


def test_a_host_that_goes_down_is_told_at_once_and_not_waited_for(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    set_to_work(controller, "shell", 8, tmp_path)
    mend = cut_cables([hosts["m2"]])
    assert "failed on m2" in controller.says(25)
    assert "the lock was lost on m2" in controller.says(25)
    assert (tmp_path / "ended").exists(), "the others ended what they were at"
    mend()


def test_what_is_breakable_is_broken_off_when_a_host_goes_down(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    set_to_work(controller, "breakable", 30, tmp_path)
    mend = cut_cables([hosts["m2"]])
    said = controller.says(25)
    assert "the lock was lost on m2;" in said
    assert "what failed then" not in said, "we ended it ourselves"
    mend()
    assert not any(host.processes("/ended") for host in hosts.values())
    assert not (tmp_path / "ended").exists()


def test_a_host_that_went_down_is_not_dialled_again(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller
) -> None:
    before = connections(controller)
    mend = cut_cables([hosts["m2"]])
    wait_until(lambda: connections(controller) < before, 20, "the run has missed m2", every=0.1)
    time.sleep(2 * HEARTBEAT_SECONDS)
    controller.do("shell true")
    said = controller.says() + controller.says()
    assert "the lock was lost on m2" in said
    assert "it stopped responding" in said
    mend()


def connections(controller: Controller) -> int:
    """How many hosts it has the lock on, as it thinks."""
    words = ["ps", "--no-headers", "-o", "comm=", "--ppid", str(controller.process.pid)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split().count("ssh")


def test_a_lost_connection_ends_the_run(inventory: Inventory, hosts: dict[str, FakeHost]) -> None:
    with locked(inventory, inventory.hosts, "haplane up", silent) as lock:
        hosts["m2"].signal("sshd: root@notty", signal.SIGKILL)
        with pytest.raises(LockLost, match="the lock was lost on m2;"):
            lock.check()


def test_a_host_that_goes_on_purpose_is_no_loss_and_is_locked_again(
    inventory: Inventory, hosts: dict[str, FakeHost]
) -> None:
    told: list[str] = []
    with locked(
        inventory, inventory.hosts, "haplane up", lambda _, message, fraction=None: told.append(message)
    ) as lock:
        through = lock.inventory.host("m2")
        with lock.away(through):
            hosts["m2"].signal("sshd: root@notty", signal.SIGKILL)
            time.sleep(2 * HEARTBEAT_SECONDS)
            lock.check()
            with pytest.raises(Locked), locked(inventory, inventory.hosts, "haplane up", silent):
                pass
            with pytest.raises(HaplaneError):
                openssh.run(through, "true")
        lock.check()
        openssh.run(through, "true")
        hosts["m2"].signal("sshd: root@notty", signal.SIGKILL)
        with pytest.raises(LockLost, match="the lock was lost on m2;"):
            lock.check()
    assert not any("stopped responding" in message for message in told[:2])


def test_no_host_goes_on_purpose_whose_others_are_no_majority(inventory: Inventory) -> None:
    some = [host for host in inventory.hosts if host.name in ("m1", "m2")]
    with locked(inventory, some, "haplane up", silent) as lock:
        with pytest.raises(Unreachable), lock.away(some[0]):
            pytest.fail("it went")
        lock.check()


def test_what_a_killed_holder_left_is_ended_by_the_next(
    inventory: Inventory, hosts: dict[str, FakeHost], controller: Controller, tmp_path: Path
) -> None:
    controller.do(f"shell touch {tmp_path}/started; sleep 30; touch {tmp_path}/late")
    until((tmp_path / "started").exists)
    for host in hosts.values():
        host.signal("Runs on a host, with nothing but Python's standard library: holds", signal.SIGKILL)
    assert seconds_until_free(inventory, 12) < 2 + SLACK
    assert "failed on m1, m2, m3" in controller.says()
    assert "the lock was lost" in controller.says()
    time.sleep(5)
    assert not (tmp_path / "late").exists()


def test_of_two_at_once_exactly_one_wins(inventory: Inventory) -> None:
    for _ in range(10):
        won: list[str] = []
        told: list[str] = []
        start, end = threading.Barrier(2), threading.Barrier(2)

        def attempt(name: str, start: threading.Barrier = start, end: threading.Barrier = end) -> None:
            start.wait()
            try:
                with locked(inventory, inventory.hosts, f"haplane up {name}", silent):
                    won.append(name)  # noqa: B023 - the round's own list
                    end.wait(20)
            except Locked as error:
                told.append(str(error))  # noqa: B023
                end.wait(20)

        threads = [threading.Thread(target=attempt, args=(name,)) for name in ("one.py", "two.py")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert len(told) == 1
        assert f"haplane up {won[0]}" in told[0]


def test_a_majority_of_masters_is_needed(inventory: Inventory) -> None:
    first, second, _ = inventory.masters
    with locked(inventory, [first, second], "haplane up", silent):
        pass
    with (
        pytest.raises(Unreachable, match="needs 2 of 3 masters and etcd hosts; 1 can be reached"),
        locked(inventory, [first, *inventory.load_balancers], "haplane up", silent),
    ):
        pass


def test_a_host_that_is_gone_is_named(inventory: Inventory) -> None:
    first, second, third = inventory.masters
    gone = third.model_copy(update={"ssh": third.ssh.model_copy(update={"port": 1})})
    with (
        pytest.raises(Unreachable, match="m3 cannot be reached"),
        locked(inventory, [first, second, gone], "haplane up", silent),
    ):
        pass
    assert seconds_until_free(inventory, 12) < SLACK


def test_what_fails_for_want_of_the_lock_is_told_as_such(inventory: Inventory, hosts: dict[str, FakeHost]) -> None:
    heard: list[tuple[str, str]] = []
    with (
        pytest.raises(LockLost, match="the lock was lost on m1") as lost,
        locked(inventory, inventory.hosts, "haplane up", lambda *line: heard.append(line)) as lock,
    ):
        hosts["m1"].signal("sshd: root@notty", signal.SIGKILL)
        until(lambda: ("m1", "stopped responding; letting the other hosts finish their step") in heard)
        until(lambda: is_gone(lock.inventory.masters[0]))
        openssh.run(lock.inventory.masters[0], "true")
    assert "the step then failed: m1 cannot be reached: it stopped responding" in str(lost.value)
