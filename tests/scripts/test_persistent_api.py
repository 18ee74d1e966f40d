"""A kubectl that fails as often as a test says, and the function that begins again."""

import os
import subprocess
from pathlib import Path

import pytest

from haplane.scripts import script

BROKEN_OFF = "Unable to connect to the server: unexpected EOF"
NOT_SERVED_YET = (
    "Error from server (NotFound): the server could not find the requested resource (patch networks.x default)"
)


@pytest.fixture
def labelled(tmp_path):
    """Runs a script whose kubectl fails so many times with these words: how it ended, and what it asked."""

    def run(failures: int, words: str):
        kubectl, asked = tmp_path / "kubectl", tmp_path / "asked"
        kubectl.write_text(
            f'#!/bin/sh\necho "$*" >> {asked}\n'
            f'if [ "$(wc -l < {asked})" -le {failures} ]; then echo "{words}" >&2; exit 1; fi\necho done\n'
        )
        kubectl.chmod(0o755)
        text = script("label_made", ["m1"], labels="")
        done = subprocess.run(
            ["sh", "-c", text],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        return done, Path(asked).read_text().splitlines()

    return run


@pytest.mark.parametrize("words", [BROKEN_OFF, NOT_SERVED_YET])
def test_a_request_that_was_broken_off_is_made_again(labelled, words):
    """The latter by an API server that does not serve a kind yet which another one calls established."""
    done, asked = labelled(2, words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert len(asked) == 4
    assert asked[0] == asked[1] == asked[2]


def test_what_the_api_server_refuses_is_not_asked_again(labelled):
    done, asked = labelled(1, "Error from server (Forbidden): nodes is forbidden")
    assert (done.returncode, done.stderr) == (1, "Error from server (Forbidden): nodes is forbidden\n")
    assert len(asked) == 1
