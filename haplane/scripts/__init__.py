"""Shell scripts, rendered: assignments to the variables that they use, functions, then the script.

A script is ``NAME.sh`` here and runs on a host, unless it begins with ``On this machine``; those in ``lab/`` make and
start the lab's hosts, on this machine. A string is shell nowhere else, except for one line that becomes the command
that it is given (``exec "$@"``).

The comment that a script begins with names the variables that it is given (``# $name: what``; ``# $@: what`` is a
list) and the functions that it uses (``# uses: name ...``, files in ``functions/``, which are given what they name in
the same way). A variable whose comment is paths (``# $name: PACKAGE/on_host/NAME.py ...``) is the program made of
these files, unless another one is given. What is in capitals is a constant: of :mod:`haplane.domain.host_paths` or of
:data:`CONSTANTS`. Everything is quoted, and all of it can be read in a host's list of processes: secrets travel on
standard input. Whether the texts are good shell is tested on their golden copies, tests/scripts/golden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER
from haplane.domain.plan import CONTROL_PLANE_LABEL, EXCLUDE_FROM_BALANCERS_LABEL, MADE_LABEL
from haplane.errors import DEADLINE_MARK
from haplane.host_programs import PACKAGE, program

DIRECTORY = Path(__file__).parent
CONSTANTS = {
    "CGROUPS": "/sys/fs/cgroup",
    **{name: path for name, path in vars(host_paths).items() if name.isupper() and isinstance(path, str)},
    "CONTROL_PLANE_LABEL": CONTROL_PLANE_LABEL,
    "DEADLINE_MARK": DEADLINE_MARK,
    "ETCD_USER": ETCD_USER,
    "EXCLUDE_FROM_BALANCERS_LABEL": EXCLUDE_FROM_BALANCERS_LABEL,
    "MADE_LABEL": MADE_LABEL,
}
VARIABLE = re.compile(r"^# \$(\w+|@): ", re.M)
PROGRAM = re.compile(r"^# \$(\w+): (\w+/on_host/\w+\.py(?: \w+/on_host/\w+\.py)*)$", re.M)
FUNCTIONS = re.compile(r"^# uses: (.+)$", re.M)
CONSTANT = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)\b")


@dataclass(frozen=True)
class _File:
    body: str
    variables: frozenset[str]
    programs: dict[str, str]
    functions: tuple[str, ...]


def script(name: str, words: Iterable[str] | None = None, /, **variables: str) -> str:
    """The text of ``NAME.sh`` for ``sh -c``.

    ``words`` become its ``$@``. Raises ValueError unless exactly what the script and its functions name is given.
    """
    files = [*_functions(_read(name)), _read(name)]
    named = {variable for file in files for variable in file.variables}
    variables = {**{variable: text for file in files for variable, text in file.programs.items()}, **variables}
    given = {*variables, *(["@"] if words is not None else [])}
    if given != named:
        raise ValueError(f"{name}.sh is given {sorted(given)} and names {sorted(named)}")
    body = "".join(file.body for file in files)
    used = {constant: CONSTANTS[constant] for constant in CONSTANT.findall(body) if constant in CONSTANTS}
    assigned = [f"{variable}={_quoted(value)}\n" for variable, value in sorted({**used, **variables}.items())]
    listed = [f"set -- {' '.join(map(_quoted, words))}\n"] if words is not None else []
    return "".join(["set -eu\n", *assigned, *listed, body])


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _functions(file: _File) -> list[_File]:
    """Those that it uses, each after those that it uses itself, and once."""
    found: list[_File] = []
    for name in file.functions:
        function = _read(f"functions/{name}")
        found += [one for one in (*_functions(function), function) if one not in found]
    return found


@cache
def _read(name: str) -> _File:
    text = (DIRECTORY / f"{name}.sh").read_text(encoding="utf-8")
    header = re.match(r"(?:#.*\n)*", text)
    head = header[0] if header else ""
    uses = FUNCTIONS.search(head)
    programs = {
        variable: program(*(PACKAGE / path for path in paths.split())) for variable, paths in PROGRAM.findall(head)
    }
    functions = tuple(uses[1].split()) if uses else ()
    return _File(text[len(head) :], frozenset(VARIABLE.findall(head)), programs, functions)
