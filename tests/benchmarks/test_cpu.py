"""The arithmetic of `make bench`."""

import importlib
from pathlib import Path

import pytest

BEFORE = "cpu  1000 50 500 90000 700 30 20 8000 400 60\ncpu0 500 25 250 45000 350 15 10 4000 200 30\nintr 1\n"
AFTER = "cpu  4600 50 1900 99000 900 80 70 9000 900 60\ncpu0 2300 25 950 49500 450 40 35 4500 450 30\nintr 2\n"


@pytest.fixture
def cpu(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("cpu")


def test_busy_is_what_ran_here_and_not_idle_waiting_or_stolen_time(cpu):
    """Guests' time is the user's already."""
    assert cpu.busy_seconds(BEFORE, 100) == pytest.approx(16.0)
    assert cpu.busy_seconds(AFTER, 100) - cpu.busy_seconds(BEFORE, 100) == pytest.approx(51.0)


def test_the_limit_is_the_cpu_time_on_all_cores_at_once(cpu):
    used = cpu.Used(wall=31.9, cpu=51.0, cores=2)
    assert used.limit == pytest.approx(25.5)
    assert str(used) == "31.9 s (51.0 CPU s, limit 25.5 s)"
