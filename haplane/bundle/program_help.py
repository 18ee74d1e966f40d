"""What the bundle's own programs print for --help: they are unpacked, print that here, and end."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import BundleFile, Manifest, cache_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.domain.platform import architecture
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.file_limits import writing_at_most
from haplane.private import make_private, refuse_shared
from haplane.streams import Start, last_line, stream
from haplane.threads import Threads

SECONDS = 20
"""A program that only prints needs a second, on a busy machine some."""

ALL_SECONDS = 300
MOST_BYTES = 4 << 20
FILE_BYTES = 1 << 20

REFUSAL = re.compile(r"unknown flag: --[\w-]+|unrecognized feature gate: \w+|cannot set feature gate [^\"\n]{1,200}")
HAS_EVERY_GATE = "kube-apiserver"
"""Kubernetes registers all gates in one place, of kubelet and kube-proxy as well, and those two look at them late."""


@cache
def helps(bundle: Path, programs: Sequence[str]) -> dict[str, str]:
    """By program. Empty where this machine cannot run them: the bundle is for another architecture.

    What a program printed is kept by its digest: unpacking and running six takes all of two CPUs for seconds.
    Raises HaplaneError for one that the bundle does not have, that is damaged, or that prints nothing.
    """
    manifest = load_manifest(bundle)
    if not runs_here(manifest):
        return {}
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory, Threads() as pool:
        texts = pool.map(lambda name: _help(bundle, manifest, name, Path(directory) / name), programs)
        return dict(zip(programs, texts, strict=True))


class Question(NamedTuple):
    """An argument like ``--name=`` or ``--feature-gates=Name=true``, and whether it is a gate."""

    program: str
    argument: str
    gate: bool = False


def refusals(bundle: Path, questions: Iterable[Question]) -> dict[Question, str]:
    """What the programs say of arguments that they refuse. A flag's value is not looked at.

    Each program is unpacked once and asked each question once. Raises as :func:`helps`, and DeadlinePassed where all
    of them take longer than ALL_SECONDS.
    """
    manifest, found = load_manifest(bundle), {}
    deadline = time.monotonic() + ALL_SECONDS
    unpacked: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        for one in dict.fromkeys(questions):
            if time.monotonic() > deadline:
                what = f"not every flag could be checked with the bundle's programs within {ALL_SECONDS} s"
                raise DeadlinePassed(what, where=f"{bundle}: {one.program} {one.argument}")
            name = HAS_EVERY_GATE if one.gate else one.program
            if name not in unpacked:
                unpacked[name] = unpack_by_name(bundle, manifest, name, Path(directory))
            said = run_alone(bundle, unpacked[name], one.argument, "--version")
            if refused := REFUSAL.search(said.text):
                found[one] = refused.group()
    return found


def _help(bundle: Path, manifest: Manifest, name: str, directory: Path) -> str:
    kept = cache_directory() / "program-help" / f"{file_of(bundle, manifest, name).sha256}-{name}"
    make_private(kept.parent)
    refuse_shared(kept.parent)
    if kept.exists():
        return kept.read_text()
    directory.mkdir()
    program = unpack_by_name(bundle, manifest, name, directory)
    code, text = run_alone(bundle, program, "--help")
    if code != 0:  # killed, or crashed: what it printed is not its help, and would be kept
        raise HaplaneError(f"{name} --help failed (exit status {code})", where=str(bundle), why=last_line(text))
    program.unlink()
    new = kept.with_name(f"{kept.name}.{os.getpid()}")
    new.write_text(text)
    new.replace(kept)
    return text


def runs_here(manifest: Manifest) -> bool:
    """Whether this machine can run the bundle's programs: it may be for hosts of another architecture."""
    return architecture(platform.machine()) == manifest.architecture


def file_of(bundle: Path, manifest: Manifest, name: str) -> BundleFile:
    """The file that is the program, or else the image that holds it."""
    files = [file for file in manifest.files if Path(file.path).name == name]
    images = [one.file for one in manifest.images if f"/{name}:" in one.reference]
    if not files and not images:
        next_step = f"`{manifest.build_command(bundle)}`"
        raise HaplaneError(f"the bundle has no {name}", where=str(bundle), next_step=next_step)
    return (files or images)[0]


def unpack_by_name(bundle: Path, manifest: Manifest, name: str, directory: Path) -> Path:
    """The bundle's program of that name, from its file or its image, in ``directory``. Raises HaplaneError."""
    file = file_of(bundle, manifest, name)
    if file in manifest.files:
        return unpack_program(bundle, manifest, file.path, directory)
    extract_program(bundle, file, name, directory / name)
    return directory / name


class Printed(NamedTuple):
    """``text`` is standard output, and then the end of standard error."""

    code: int
    text: str


def run_alone(bundle: Path, program: Path, *words: str) -> Printed:
    """What it prints. It gets nothing of ours: no environment, an empty directory, no file that it could fill."""
    asked = " ".join((program.name, *words))
    output = bytearray()
    try:
        with tempfile.TemporaryDirectory(prefix="haplane-") as empty:
            done = stream(
                writing_at_most(FILE_BYTES, [str(program), *words]),
                output.extend,
                deadline_seconds=SECONDS,
                most=MOST_BYTES,
                start=Start(Path(empty), {"PATH": "/usr/bin:/bin", "HOME": empty}, own_group=True),
            )
    except TimeoutError:
        raise HaplaneError(f"{asked} did not end within {SECONDS} s", where=str(bundle)) from None
    if done.cut is not None:
        raise HaplaneError(f"{asked} was ended", where=str(bundle), why=done.cut)
    if not output and not done.stderr:
        raise HaplaneError(f"{asked} prints nothing", where=str(bundle))
    return Printed(done.code, (output + done.stderr).decode(errors="replace"))
