"""Benchmarks run seldom: that they still fit the package, and the tests that they share parts with, is seen here."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LOAD = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[2])"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_can_be_loaded(path):
    subprocess.run([sys.executable, "-c", LOAD, str(BENCHMARKS), str(path)], check=True)
