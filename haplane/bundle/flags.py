"""Which flags a control-plane component of the bundle has, by its own ``--help``."""

from __future__ import annotations

import difflib
import platform
import tempfile
from collections.abc import Iterable
from pathlib import Path

from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import Manifest, verify_command
from haplane.domain.arguments import flags_in
from haplane.domain.platform import architecture
from haplane.errors import HaplaneError
from haplane.streams import capture, last_line

HELP_SECONDS = 60
HELP_BYTES = 4 << 20


def unknown_flags(
    bundle: Path, manifest: Manifest, component: str, names: Iterable[str]
) -> tuple[tuple[str, str | None], ...]:
    """Those that the component does not know, each with the nearest that it does.

    None are where this machine cannot run the bundle's programs. Raises HaplaneError, DeadlinePassed.
    """
    if architecture(platform.machine()) != manifest.architecture:
        return ()
    known = _flags_of(bundle, manifest, component)
    unknown = [name for name in names if name not in known]
    return tuple((name, next(iter(difflib.get_close_matches(name, known, 1, 0.6)), None)) for name in unknown)


def _flags_of(bundle: Path, manifest: Manifest, component: str) -> frozenset[str]:
    image = next(image.file for image in manifest.images if f"/{component}:" in image.reference)
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        program = Path(directory) / component
        extract_program(bundle, image, component, program)
        try:
            done = capture([str(program), "--help"], b"", deadline_seconds=HELP_SECONDS, most=HELP_BYTES)
        except TimeoutError:
            raise HaplaneError(f"{component} --help did not end within {HELP_SECONDS} s", where=str(bundle)) from None
    found = flags_in(done.stdout.decode(errors="replace"))
    if done.code != 0 or not found:
        raise HaplaneError(
            f"{component} of the bundle does not list its flags",
            where=str(bundle),
            why=last_line(done.stderr) or f"exit code {done.code}",
            next_step=f"`{verify_command(bundle)}`",
        )
    return found
