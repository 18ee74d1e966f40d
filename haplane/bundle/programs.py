"""Programs of the building machine that go into images, with the libraries they need."""

from __future__ import annotations

import re
from pathlib import Path

from haplane.bundle.process import find_program, run


def closure(program: str, path_in_image: str) -> dict[str, Path]:
    """A program and its shared libraries, or another file by its absolute path: path in the image -> file here.

    Libraries keep the paths at which the program's loader looks for them.
    """
    found = find_program(program).resolve()
    return {path_in_image: found, **{str(library): library.resolve() for library in _libraries(found)}}


def _libraries(program: Path) -> list[Path]:
    """The absolute paths ``ldd`` prints; none for a static program, on which ldd fails.

    Its lines are ``libmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x7f...)`` and, for the loader,
    ``/lib64/ld-linux-x86-64.so.2 (0x7f...)``.
    """
    if not _is_dynamic(program):
        return []
    printed = run(["ldd", program], what=f"listing the libraries of {program}")
    return [Path(path) for path in re.findall(r"(?:^|\s)(/\S+) \(0x", printed)]


def _is_dynamic(program: Path) -> bool:
    """Whether the ELF file asks for a loader: its program headers name one."""
    with program.open("rb") as file:
        return re.search(rb"/lib\d*/ld-[\w.-]+\.so\.\d", file.read(4096)) is not None
