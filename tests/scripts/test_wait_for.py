import subprocess

from haplane.errors import DEADLINE_MARK
from haplane.scripts import DIRECTORY


def waited(*words):
    function = (DIRECTORY / "functions/wait_for.sh").read_text()
    script = f"set -eu\nDEADLINE_MARK='{DEADLINE_MARK}'\n{function}wait_for \"$@\"\necho over"
    return subprocess.run(["sh", "-c", script, "sh", *words], capture_output=True, text=True, check=False, timeout=20)


def test_a_condition_is_waited_for(tmp_path):
    made = tmp_path / "made"
    appear = f"test -e {made} || {{ touch {made}; exit 1; }}"
    assert waited("10", "it is there", "sh", "-c", appear).stdout == "over\n"


def test_what_never_comes_is_told_with_the_reason():
    done = waited("0", "it is there", "sh", "-c", "echo first; echo the disk is full; exit 3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{DEADLINE_MARK} not within 0 s: it is there: the disk is full\n"
