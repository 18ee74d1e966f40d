"""Settings that are a Kubernetes component's own: fields of its configuration, its flags, a Node's labels. Pure."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

from haplane.config.problem import looks_secret, printable
from haplane.config.values import many, refusal

Scalar = str | int | float | bool
Setting = object
"""A scalar, or a list or mapping of settings: as JSON has them."""

_FIELD_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9]{0,100}")
_INNER_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9./-]{0,100}")  # memory.available, node-role.kubernetes.io/worker
_SETTING_TEXT = re.compile(r"[\w ./@+,=:%-]{0,1000}")
_FLAG_NAME = re.compile(r"[a-z][a-z0-9-]{0,100}")
_FLAG_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,4000}")  # no shell reads it: kubeadm writes it into a list of arguments
_LABEL_NAME = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
SETTING_DEPTH = 5
OWN_LABELS = (
    "beta.kubernetes.io/",
    "haplane.node-restriction.kubernetes.io/",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node-role.kubernetes.io/control-plane",
    "node.kubernetes.io/exclude-from-external-load-balancers",
)


def _component(value: object) -> object:
    """Fields of a Kubernetes component's configuration: texts, numbers, booleans, and lists and mappings of them."""
    if isinstance(value, dict):
        for name, setting in value.items():
            _check_name(_FIELD_NAME, name)
            _check_setting(name, setting, SETTING_DEPTH)
    return value


def _check_name(names: re.Pattern[str], name: object) -> None:
    if not isinstance(name, str) or not names.fullmatch(name):
        raise refusal(
            f"has a name that is not a field's: {_named(name)}", "use the component's own field names, like maxPods"
        )


def _named(name: object) -> str:
    return printable(name) if isinstance(name, str) and not looks_secret(name) else type(name).__name__


def _check_setting(name: str, setting: object, depth: int) -> None:
    if isinstance(setting, dict) and depth:
        for inner_name, inner in setting.items():
            _check_name(_INNER_NAME, inner_name)
            _check_setting(inner_name, inner, depth - 1)
    elif isinstance(setting, list | tuple) and depth:
        for inner in setting:
            _check_setting(name, inner, depth - 1)
    elif isinstance(setting, str):
        if not _SETTING_TEXT.fullmatch(setting):
            raise refusal(
                f"{name} has characters that are not allowed here", "use letters, digits, spaces, ._/@+,=:%-"
            )
    elif not isinstance(setting, int | float) or (isinstance(setting, float) and not math.isfinite(setting)):
        raise refusal(
            f"{name} is not a string, number, True or False, or a list or mapping of these", "write one of these"
        )


def _flags(value: object) -> object:
    """Flags as the component's ``--help`` names them, without dashes; a list is for one that is given repeatedly."""
    if not isinstance(value, dict):
        return value
    for name, setting in value.items():
        if not isinstance(name, str) or not _FLAG_NAME.fullmatch(name):
            raise refusal(f"{name!s:.80} is not a flag's name", "write it as --help does, without the dashes")
        for one in setting if isinstance(setting, list | tuple) else (setting,):
            if not isinstance(one, str | int | float) or (isinstance(one, float) and not math.isfinite(one)):
                raise refusal(
                    f"{name} is not a string, number, True or False, or a list of these", "write one of these"
                )
            if isinstance(one, str) and not _FLAG_TEXT.fullmatch(one):
                raise refusal(f"{name} has a line break or is too long", "write it on one line")
    return value


def _labels(value: object) -> object:
    """Labels of a Node; those by which Kubernetes and haplane know what it is are not for users."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, dict):
        raise refusal("not a mapping", 'write it like {"disktype": "ssd"}')
    for name, setting in value.items():
        if not isinstance(name, str) or not _LABEL_NAME.fullmatch(name):
            raise refusal(f"{name!s:.80} is not a label's name", "write it like disktype or example.org/rack")
        if not isinstance(setting, str) or not _LABEL_VALUE.fullmatch(setting):
            raise refusal(f"{name} is not a label's value", "use up to 63 letters, digits and ._-, in quotes")
        if name.startswith(OWN_LABELS):
            raise refusal(f"{name} is set by Kubernetes or haplane", "remove it")
    return tuple(sorted(value.items()))


ComponentSettings = Annotated[dict[str, Setting], BeforeValidator(_component)]
Flags = Annotated[dict[str, Scalar | Annotated[tuple[Scalar, ...], many]], BeforeValidator(_flags)]
Labels = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_labels)]
"""Name and value, sorted: hosts are keys of mappings."""
