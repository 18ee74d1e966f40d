"""Which paths exist."""

import subprocess

from haplane.facts.paths import ExistingPaths


def test_existing_paths_are_quoted_and_read_back(tmp_path):
    (tmp_path / "with space").touch()
    command = ExistingPaths().command(paths=[str(tmp_path / "with space"), str(tmp_path / "missing")])
    said = subprocess.run(["sh", "-c", str(command)], capture_output=True, text=True, check=True).stdout
    assert ExistingPaths().process(said.splitlines()) == [str(tmp_path / "with space")]
