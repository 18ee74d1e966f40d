"""Every shell script as a host runs it, against golden copies that are good shell.

Write the copies anew with `HAPLANE_GOLDEN=write pytest tests/scripts`.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from haplane import scripts
from haplane.domain import host_paths
from haplane.scripts import script

GOLDEN = Path(__file__).parent / "golden"


def names_in(directory):
    """Of the scripts there; functions are parts of others."""
    names = (str(path.relative_to(directory).with_suffix("")) for path in directory.rglob("*.sh"))
    return sorted(name for name in names if not name.startswith("functions/"))


NAMES = names_in(scripts.DIRECTORY)
LISTED = ["first", "second; with 'quotes'"]


def given(name):
    """Something for each variable that a script and its functions name, its programs and its list included."""
    with pytest.raises(ValueError, match=" names ") as error:
        script(name, nobody_names_this="")
    named = re.findall(r"'([^']+)'", str(error.value).partition(" names ")[2])
    variables = {variable: f"the {variable}" for variable in named if variable != "@"}
    return ([LISTED] if "@" in named else []), variables


def rendered(name):
    words, variables = given(name)
    return script(name, *words, **variables)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_as_its_golden_copy(name):
    copy = GOLDEN / f"{name}.sh"
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(rendered(name))
    assert rendered(name) == copy.read_text()


def test_every_golden_copy_is_of_a_script():
    assert names_in(GOLDEN) == NAMES


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_shell_that_is_some_hosts_sh_can_read_them(shell):
    for name in NAMES:
        subprocess.run([shell, "-n", "-c", rendered(name)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="the Debian package shellcheck is not installed")
def test_shellcheck_finds_nothing():
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--format=gcc", *sorted(map(str, GOLDEN.rglob("*.sh")))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "variables"),
    [((), {}), ((), {"nodes": "m1", "taint": "yes"}), ((["m1"],), {}), ((["m1"],), {"taint": "yes", "port": "1"})],
)
def test_a_script_is_given_what_it_names_and_nothing_else(words, variables):
    with pytest.raises(ValueError, match="label_masters"):
        script("label_masters", *words, **variables)


def test_what_is_given_is_never_shell(tmp_path):
    hostile = f"'; touch {tmp_path}/broken; echo '$(touch {tmp_path}/broken)"
    text = script("discard_etcd_data", [f"{tmp_path}/{hostile}"]).replace(host_paths.ETCD_DATA, str(tmp_path))
    (tmp_path / "kept").touch()
    subprocess.run(["sh", "-c", text], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_programs_are_files_which_are_linted_and_not_strings():
    """Python in Python and in shell, and shell whose arguments have numbers for names."""
    package = scripts.DIRECTORY.parent
    in_strings = re.compile(r'"""\n(import|from) \w|\$\{?[1-9]')
    in_scripts = re.compile(r"python3 [^'\n]*-c '")
    found = [path for path in package.rglob("*.py") if in_strings.search(path.read_text())]
    found += [path for path in package.rglob("*.sh") if in_scripts.search(path.read_text())]
    assert [str(path.relative_to(package)) for path in found] == []


@pytest.mark.parametrize("file", sorted(scripts.DIRECTORY.rglob("*.sh")), ids=lambda path: path.stem)
def test_no_wait_counts_attempts_or_goes_on_without_a_limit(file):
    """Each loop that sleeps asks the clock; only wait_for and what must tell failures apart have one."""
    text = file.read_text()
    if "sleep" in text:
        assert "date +%s" in text
        assert "DEADLINE_MARK" in text or file.stem == "import_image"  # whose words are a part of the receiver's
