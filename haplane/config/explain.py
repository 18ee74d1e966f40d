"""What pydantic found wrong, as our problems: the field as written in the file, the value, the remedy. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from haplane.config.drills import DrillSettings, LimitSettings, PowerCommands
from haplane.config.model import Cluster, Endpoint, EtcdSettings, Keepalived, Lab, Proxy, Registry, Tuning
from haplane.config.problem import ABSENT, Problem, unknown
from haplane.config.snapshots import S3, Keep, OnFailure, Snapshots

HOST_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "address": ("address",),
    "ssh_hostname": ("ssh", "hostname"),
    "ssh_port": ("ssh", "port"),
    "ssh_user": ("ssh", "user"),
    "ssh_key": ("ssh", "key"),
    "ssh_config_file": ("ssh", "config_file"),
    "ssh_known_hosts_file": ("ssh", "known_hosts_file"),
    "ssh_strict_host_key_checking": ("ssh", "strict_host_key_checking"),
    "_sudo": ("ssh", "sudo"),
    "_doas": ("ssh", "doas"),
    "labels": ("labels",),
}
_SETTING_AT = {place: setting for setting, place in HOST_SETTINGS.items()}

_MAPPINGS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Cluster,
    ("endpoint",): Endpoint,
    ("keepalived",): Keepalived,
    ("etcd",): EtcdSettings,
    ("proxy",): Proxy,
    ("registries",): Registry,
    ("tuning",): Tuning,
    ("drills",): DrillSettings,
    ("drills", "power"): PowerCommands,
    ("drills", "limits"): LimitSettings,
    ("lab",): Lab,
    ("snapshots",): Snapshots,
    ("snapshots", "s3"): S3,
    ("snapshots", "keep_local"): Keep,
    ("snapshots", "keep_remote"): Keep,
    ("snapshots", "on_failure"): OnFailure,
}

KEYED = (("registries",), ("drills", "limits"))
"""Mappings whose keys are names: the settings are one level below."""

_WHOLE = ("a whole number", "write a whole number, without quotes")
_MAPPING = ("a mapping", "write it in braces: {...}")
_WANTED = {
    "string_type": ("a string", "write it in quotes"),
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": ("a number", "write a number, without quotes"),
    "finite_number": ("a finite number", "write a finite number"),
    "bool_type": ("True or False", "write True or False, without quotes"),
    "tuple_type": ("a list", "write it in brackets: [...]"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "is_instance_of": ("a string", "write it in quotes"),
}


def cluster_problems(error: ValidationError) -> Iterator[Problem]:
    """Everything wrong in the mapping ``cluster``."""
    for details in error.errors(include_url=False):
        place = details["loc"]
        field = "cluster" + "".join(f"[{key!r}]".replace("'", '"') for key in place if key != "[key]")
        if details["type"] == "extra_forbidden":
            of = tuple(map(str, place[:-1]))
            known = _MAPPINGS[of[:-1] if of[:-1] in KEYED else of].model_fields
            yield unknown(field, place[-1], details["input"], known)
        else:
            yield _problem(field, details)


def host_problems(
    error: ValidationError, label: str, data: Container[object], of_group: Mapping[object, str]
) -> Iterator[Problem]:
    """Everything wrong in one host's data; ``label`` is ``GROUP: NAME``, ``of_group`` that of what is its group's."""
    for details in error.errors(include_url=False):
        setting = _SETTING_AT.get(tuple(map(str, details["loc"])))
        if setting == "ssh_hostname" and setting not in data:
            continue  # it stands for the address, about which there is a problem of its own
        yield _problem(f"{of_group.get(setting, label)}: {setting}" if setting else label, details)


def _problem(field: str, details: ErrorDetails) -> Problem:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "haplane":
        return Problem(field, value, str(context["problem"]), str(context["remedy"]))
    if kind == "missing":
        return Problem(field, ABSENT, "is missing", "add it")
    if kind == "literal_error":
        return Problem(field, value, "not one of the choices", f"use {context['expected']}")
    if kind == "invalid_key":
        return Problem(field, value, "its name is not a string", "write the name in quotes")
    if kind in _WANTED:
        wanted, remedy = _WANTED[kind]
        return Problem(field, value, f"the wrong type, {wanted} is expected", remedy)
    return Problem(field, value, details["msg"], "correct it")


def top_level(errors: Sequence[ErrorDetails]) -> frozenset[str]:
    """The settings of ``cluster`` in which something is wrong."""
    return frozenset(str(details["loc"][0]) for details in errors if details["loc"])
