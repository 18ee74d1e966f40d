"""The README's tables are the code's, and its commands exist."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from haplane.cli.main import cli
from haplane.domain.quorum import can_lose, majority
from haplane.drills.catalog import DRILLS
from haplane.errors import ExitCode

README = (Path(__file__).parents[1] / "README.md").read_text()


def rows(header):
    table = README[README.index(header) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def test_the_quorum_table_is_the_arithmetic():
    found = [[int(cell) for cell in row] for row in rows("| etcd members |")]
    assert found == [[size, majority(size), can_lose(size, size)] for size, *_ in found]
    assert found


def test_every_exit_code_is_in_the_table():
    assert [int(row[0]) for row in rows("| exit code |")] == sorted(int(code) for code in ExitCode)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^haplane ([a-z]+) .*  ", README, re.M))))
def test_a_command_that_is_shown_exists(command):
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0


def test_make_has_the_two_commands():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    for target in re.findall(r"^# make (\w+)", README, re.M):
        assert f"\n{target}:" in makefile


def test_every_drill_is_counted_and_described():
    """A drill was added; the README went on to speak of 24 more."""
    assert f"There are {len(DRILLS) - 1} more [drills]" in README
    described = (Path(__file__).parents[1] / "docs/drills.md").read_text()
    assert {name for name in DRILLS if f"`{name}`" not in described} == set()
