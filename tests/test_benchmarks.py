"""Benchmarks run seldom: that they still fit the package, and the tests that they share parts with, is seen here."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LOAD = "import runpy, sys; sys.path.insert(0, sys.argv[1]); [runpy.run_path(path) for path in sys.argv[2:]]"


def test_every_benchmark_can_be_loaded():
    """By one process, because their imports take most of a second."""
    paths = sorted(map(str, BENCHMARKS.glob("*.py")))
    assert paths
    subprocess.run([sys.executable, "-c", LOAD, str(BENCHMARKS), *paths], check=True)
