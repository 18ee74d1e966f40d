"""Nothing is installed that is not pinned with its hashes: Go compiles what runs as root on hosts."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


def joined(text):
    return text.replace("\\\n", " ").splitlines()


def installations():
    variables = dict(re.findall(r"^(PIP_UV|UV_PIP) := (.*)$", (ROOT / "Makefile").read_text(), re.M))
    text = (ROOT / "Makefile").read_text()
    for name, value in variables.items():
        text = text.replace(f"$({name})", value)
    for line in joined(text):
        if line.startswith("\t"):
            yield from (part for part in line.split("||") if re.search(r"pip (install|sync)", part))


def test_every_installation_names_hashes_and_builds_nothing():
    found = list(installations())
    assert len(found) == 5
    for part in found:
        if "--editable ." in part:
            assert "--no-deps" in part
            assert "--no-build-isolation" in part  # else hatchling would be fetched as it is today
        else:
            assert "--require-hashes" in part, part
            assert re.search(r"requirements\S*\.lock", part), part


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_hashes(name):
    packages = [line for line in joined((ROOT / name).read_text()) if re.match(r"\w", line)]
    assert packages
    for line in packages:
        assert re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_the_locks_hold_what_pyproject_names():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert "requirements-uv.lock" in LOCKS
    assert groups["go"][0] in (ROOT / "requirements-go.lock").read_text()
    for package in groups["build"]:
        assert re.search(rf"^{package}==", (ROOT / "requirements.lock").read_text(), re.M)
