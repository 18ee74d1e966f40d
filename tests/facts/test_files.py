"""Digest and mode of files."""

import json
import subprocess
import sys

from haplane.facts.files import LOOK as LOOK_AT_FILES
from haplane.facts.files import FileStates

CONTENT_SHA256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


def test_file_states_tells_digest_and_mode_of_what_is_there(tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "file").chmod(0o600)
    asked = json.dumps([str(tmp_path / "file"), str(tmp_path / "missing")])
    said = subprocess.run(
        [sys.executable, "-I", "-c", LOOK_AT_FILES, asked], capture_output=True, text=True, check=True
    )
    assert FileStates().process(said.stdout.splitlines()) == {str(tmp_path / "file"): [CONTENT_SHA256, 0o600]}
