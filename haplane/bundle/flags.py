"""Which flags a control-plane component of the bundle has, and takes, by what it says itself."""

from __future__ import annotations

import difflib
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from haplane.bundle.manifest import Manifest, verify_command
from haplane.bundle.program_help import run_alone, runs_here, unpack_by_name
from haplane.domain.arguments import Flags, flags_in, texts
from haplane.errors import HaplaneError
from haplane.streams import last_line, shortened

REFUSED = re.compile(r"(?:[eE]rror: )?(invalid argument .*|un(?:known|recognized) .*|cannot set .*)")


class WrongFlag(NamedTuple):
    """``why`` it is refused, "" for one that the component does not have: then ``nearest`` is one that it has."""

    name: str
    why: str = ""
    nearest: str | None = None


def wrong_flags(bundle: Path, manifest: Manifest, component: str, flags: Flags) -> tuple[WrongFlag, ...]:
    """Those that the component does not have, and those whose values it cannot read.

    None are where this machine cannot run the bundle's programs. Raises HaplaneError.
    """
    if not flags or not runs_here(manifest):
        return ()
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        program = unpack_by_name(bundle, manifest, component, Path(directory))
        known = _flags_of(bundle, program)
        unknown = [name for name in flags if name not in known]
        return (
            *(
                WrongFlag(name, nearest=next(iter(difflib.get_close_matches(name, known, 1, 0.6)), None))
                for name in unknown
            ),
            *_misread(bundle, program, {name: texts(value) for name, value in flags.items() if name in known}),
        )


def _misread(bundle: Path, program: Path, flags: dict[str, list[str]]) -> list[WrongFlag]:
    """A component reads its flags before it prints its version. All at once, then one by one where that fails."""
    words = {name: [f"--{name}={value}" for value in values] for name, values in flags.items()}
    if _why_refused(bundle, program, [word for each in words.values() for word in each]) is None:
        return []
    whys = ((name, _why_refused(bundle, program, each)) for name, each in words.items())
    return [WrongFlag(name, why) for name, why in whys if why]


def _why_refused(bundle: Path, program: Path, words: list[str]) -> str | None:
    said = run_alone(bundle, program, *words, "--version")
    if said.code == 0:
        return None
    found = REFUSED.search(said.text)
    return shortened(found.group(1).rstrip('"') if found else last_line(said.text))


def _flags_of(bundle: Path, program: Path) -> frozenset[str]:
    said = run_alone(bundle, program, "--help")
    found = flags_in(said.text)
    if said.code != 0 or not found:
        raise HaplaneError(
            f"{program.name} of the bundle does not list its flags",
            where=str(bundle),
            why=last_line(said.text) or f"exit code {said.code}",
            next_step=f"`{verify_command(bundle)}`",
        )
    return found
