"""What programs of the bundle say of a configuration: they read it here, and end before they would do anything."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from haplane.bundle.manifest import Manifest, cache_directory
from haplane.bundle.program_help import Printed, file_of, run_alone, runs_here, unpack_by_name
from haplane.private import make_private, refuse_shared
from haplane.streams import shortened
from haplane.threads import Threads

WRONG_ALWAYS = ("--event-burst=-1", "--event-qps=-1")
"""A kubelet has no way to look at its configuration and end but one that it refuses: it lists all that is wrong."""

OF_WRONG_ALWAYS = re.compile(r"event(?:Burst|RecordQPS) \(--event-\w+\) -1 must not be a negative number(?:, )?")
OF_THIS_MACHINE = re.compile(r"(?:^|(?<=, ))[^,]*cgroup v1[^,]*")
COMMANDS = {
    "kubeadm": ("config", "validate"),
    "kubelet": ("--root-dir=/nonexistent", "--container-runtime-endpoint=unix:///nonexistent", *WRONG_ALWAYS),
    "kube-proxy": ("--write-config-to=/dev/null",),
}
"""With ``--config FILE``."""
KLOG_ERROR = re.compile(r'(?:command failed|Error running ProxyServer)" err=("(?:[^"\\]|\\.)*")')
ERROR = re.compile(r"^(?:panic: |[eE]rror: )(.+)$", re.M)
DOCUMENT = re.compile(r'error unmarshaling configuration schema\.GroupVersionKind\{[^}]*Kind:"(\w+)"\}: ')
AROUND = re.compile(
    r"failed to validate kubelet configuration, error: |, path: &TypeMeta\{.*|failed (?:complete|validate): |"
    r"failed to load [kK]ubelet config file,?(?: path:)? \S+ error:? |failed to decode: |"
    r"failed to merge [^:]+, error: |json: |strict decoding error: |invalid configuration: "
)
"""What is about the program rather than about the configuration."""
TYPE = re.compile(r"cannot unmarshal (\w+) into Go struct field \w+\.([\w.]+) of type (\S+)")


class Trial(NamedTuple):
    """A program, and the text of the configuration that it is to read."""

    program: str
    text: str


class Refusal(NamedTuple):
    """``document`` is the kind of the document in it, "" where that is not told."""

    program: str
    document: str
    why: str


def refusals_of(bundle: Path, manifest: Manifest, trials: Sequence[Trial]) -> list[Refusal]:
    """Those that are not accepted. None are where this machine cannot run the bundle's programs.

    What was accepted is not tried again. Raises HaplaneError.
    """
    if not runs_here(manifest):
        return []
    kept = cache_directory() / "accepted-configurations"
    make_private(kept)
    refuse_shared(kept)
    accepted = {one: kept / _digest(file_of(bundle, manifest, one.program).sha256, one) for one in trials}
    due = [one for one, path in accepted.items() if not path.exists()]
    with Threads() as pool:
        found = dict(zip(due, pool.map(lambda one: _tried(bundle, manifest, one), due), strict=True))
    for one in due:
        if found[one] is None:
            accepted[one].touch(0o600)
    return [refusal for refusal in found.values() if refusal is not None]


def _digest(program: str, one: Trial) -> str:
    return hashlib.sha256(json.dumps([program, COMMANDS[one.program], one.text]).encode()).hexdigest()


def _tried(bundle: Path, manifest: Manifest, one: Trial) -> Refusal | None:
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        program = unpack_by_name(bundle, manifest, one.program, Path(directory))
        file = Path(directory) / "configuration.yaml"
        file.write_text(one.text, encoding="utf-8")
        said = run_alone(bundle, program, *COMMANDS[one.program], f"--config={file}")
    why = _error_in(said)
    if one.program == "kubelet" and "unknown flag" in why:
        return None  # a release without these flags has looked at nothing
    document = DOCUMENT.search(why)
    why = AROUND.sub("", DOCUMENT.sub("", why)).strip("[]")
    if OF_WRONG_ALWAYS.search(why):
        why = OF_THIS_MACHINE.sub("", OF_WRONG_ALWAYS.sub("", why)).strip(", ")
    why = TYPE.sub(r"\2 is a \1, and has to be \3", why)
    return Refusal(one.program, document.group(1) if document else "", shortened(why)) if why else None


def _error_in(said: Printed) -> str:
    """The program's own last word."""
    if found := KLOG_ERROR.search(said.text):
        return str(json.loads(found.group(1)))
    found = ERROR.search(said.text)
    return found.group(1) if found else "" if said.code == 0 else said.text.strip()
