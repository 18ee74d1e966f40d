"""The flags and feature gates that are written for a program, compared with its own `--help`. Pure.

No table of what a release removed: the program of the target says what it takes. Its `--help` leaves out deprecated
flags and gates of features that are generally available, so what it does not name is a question to the program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from haplane.errors import HaplaneError

FLAG_IN_HELP = re.compile(r"^ {0,8}(?:-\w, )?--([a-z][a-z0-9-]*)", re.M)
GATE_IN_HELP = re.compile(r"\b([A-Z][A-Za-z0-9]+)=true\|false \(")
FLAG = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")
BLANK, PAIR = r"[^\S\n]", r"[A-Za-z0-9:]+=\w+"
GATES = re.compile(
    rf"(?:--feature[-_]gates(?:=|{BLANK}+)|FEATURE_GATES=)[\\\"']*({PAIR}(?:{BLANK}*,{BLANK}*{PAIR})*)"
)
ENVIRONMENT_FILE = re.compile(rf"^{BLANK}*EnvironmentFile{BLANK}*={BLANK}*-?(/\S+)", re.M)
AS_WRITTEN = "etcd"
"""The program to which `--a_b` and `--a-b` are two flags; those of Kubernetes take either (WordSepNormalizeFunc)."""

SECTION = re.compile(r"^([a-zA-Z]+):")
ARGUMENT = re.compile(r"^    - \{name: ([a-z0-9-]+), value: (.*)\}$")
COMPONENTS = {
    "nodeRegistration": "kubelet",
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
"""By their names in kubeadm's configuration."""

MOST_BYTES, MOST_FLAGS = 64 << 10, 200
"""Of a file on a host: kubeadm's has three flags, a kubelet knows 150."""

COMMENT = re.compile(r"^\s*[#;].*$", re.M)


@dataclass(frozen=True)
class Written:
    """A flag (without dashes) or a feature gate that ``program`` is started with, and the file that says so.

    ``value`` is a gate's, ``true`` or ``false``.
    """

    program: str
    name: str
    where: str
    gate: bool = False
    value: str = ""

    def __str__(self) -> str:
        return f"feature gate {self.name}" if self.gate else f"--{self.name}"


@dataclass(frozen=True)
class Accepted:
    """What a program's `--help` names."""

    flags: frozenset[str]
    gates: frozenset[str]


def accepted(text: str) -> Accepted:
    """From what the program printed."""
    return Accepted(frozenset(FLAG_IN_HELP.findall(text)), frozenset(GATE_IN_HELP.findall(text)))


def in_command_line(program: str, text: str, where: str) -> Iterator[Written]:
    """Flags and gates in a unit, a drop-in or a file of environment variables."""
    text = COMMENT.sub("", text).replace("\\\n", " ")
    names = (name if program == AS_WRITTEN else name.replace("_", "-") for name in FLAG.findall(text))
    yield from (Written(program, name, where) for name in dict.fromkeys(names))
    for gates in GATES.findall(text):
        yield from _gates(program, gates, where)


def environment_files(content: bytes) -> list[str]:
    """The files of environment variables that a unit's drop-in names."""
    return list(dict.fromkeys(ENVIRONMENT_FILE.findall(content[:MOST_BYTES].decode(errors="replace"))))


def in_file_of_host(program: str, content: bytes, host: str, path: str) -> list[Written]:
    """The same, in a file that a host has by itself. Raises HaplaneError for one that is none of flags.

    What no help names is tried on programs one by one.
    """
    found = list(in_command_line(program, content[:MOST_BYTES].decode(errors="replace"), f"{host}: {path}"))
    if len(content) > MOST_BYTES or len(found) > MOST_FLAGS:
        raise HaplaneError(
            f"{host}: the flags in {path} cannot be checked",
            why=f"it has more than {MOST_BYTES >> 10} KiB or {MOST_FLAGS} flags",
            next_step="find out what wrote it, and remove what is not needed",
        )
    return found


def in_kubeadm_configuration(text: str, where: str) -> Iterator[Written]:
    """In the configuration that haplane renders for kubeadm: extraArgs, and what kubelet and kube-proxy read."""
    *documents, kubelet, proxy = text.split("\n---\n")
    component = ""
    for line in "\n".join(documents).splitlines():
        if section := SECTION.match(line):
            component = COMPONENTS.get(section.group(1), "")
        if component and (argument := ARGUMENT.match(line)):
            name, value = argument.groups()
            yield Written(component, name, where)
            if name == "feature-gates":
                yield from _gates(component, value.strip('"'), where)
    for program, document in (("kubelet", kubelet), ("kube-proxy", proxy)):
        yield from in_settings(program, json.loads(document), where)


def in_settings(program: str, settings: Mapping[str, object], where: str) -> Iterator[Written]:
    """The featureGates of a component's configuration."""
    gates = settings.get("featureGates")
    if isinstance(gates, Mapping):
        yield from _gates(program, ",".join(f"{name}={str(on).lower()}" for name, on in gates.items()), where)


def _gates(program: str, pairs: str, where: str) -> Iterator[Written]:
    for pair in pairs.split(","):
        name, _, value = pair.strip().partition("=")
        if name:
            yield Written(program, name.rpartition(":")[2], where, gate=True, value=value)


def unnamed(written: Iterable[Written], helps: Mapping[str, Accepted]) -> list[Written]:
    """Those that the program's help does not name; of a program whose help is not known, none."""
    found = []
    for one in written:
        takes = helps.get(one.program)
        if takes is not None and one.name not in (takes.gates if one.gate else takes.flags):
            found.append(one)
    return found
