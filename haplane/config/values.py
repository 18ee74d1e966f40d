"""The types of single values in an inventory. Each refuses with a problem and a remedy. Pure.

A refusal is a PydanticCustomError of type ``haplane`` whose context holds ``problem`` and ``remedy``;
:mod:`haplane.config.explain` puts field and file to it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated

import pyrage
from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from haplane.domain.versions import SUPPORTED_VERSIONS, is_supported

Scalar = str | int | float | bool

MINIMUM_INTERVAL, LONG_INTERVAL = 10, 600
HOUR_SECONDS, DAY_SECONDS = 3600, 86400
PUBLIC_KEY_BYTES = 32

_FIELD_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9]{0,100}")
_INNER_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9./-]{0,100}")  # memory.available, node-role.kubernetes.io/worker
_SETTING_TEXT = re.compile(r"[\w ./@+,=:%-]{0,1000}")


def refusal(problem: str, remedy: str) -> PydanticCustomError:
    """What a validator raises."""
    return PydanticCustomError("haplane", "{problem}", {"problem": problem, "remedy": remedy})


def _matching(pattern: str, problem: str, remedy: str) -> AfterValidator:
    expression = re.compile(pattern)

    def check(text: str) -> str:
        if not expression.fullmatch(text):
            raise refusal(problem, remedy)
        return text

    return AfterValidator(check)


def _host_name(text: str) -> str:
    if text == "localhost":
        raise refusal("not a usable host name", "give the machine a name of its own, like m1")
    return text


def _dns_name(text: str) -> str:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except ValueError:
            raise refusal("not an IPv4 address", "write four numbers of 0-255, like 10.0.0.10") from None
    return text


def _address(value: object) -> object:
    if isinstance(value, str):
        try:
            value = IPv4Address(value)
        except ValueError:
            raise refusal("not an IPv4 address", "write four numbers of 0-255, like 10.0.0.11") from None
    return value


def _unicast(address: IPv4Address) -> IPv4Address:
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved:
        raise refusal(
            "not an address other machines can reach", "write the machine's address in the cluster's network"
        )
    return address


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = IPv4Network(value, strict=False)
    except ValueError:
        raise refusal("not an IPv4 network", "write it with its prefix length, like 10.244.0.0/16") from None
    if str(network) != value:
        raise refusal("not written as a network address and a prefix length", f"write {network}")
    return network


def _version(text: str) -> str:
    if not is_supported(text):
        raise refusal("a Kubernetes version the bundle does not pin", f"use {', '.join(SUPPORTED_VERSIONS)}")
    return text


def _recipient(text: str) -> str:
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise refusal(
            "a private age identity, which must never be in an inventory",
            "write its public half, which starts with age1, and make a new identity: haplane keys new",
        )
    try:
        return str(pyrage.x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        raise refusal(
            "not an age recipient", "write the public key that `haplane keys new` printed; it starts with age1"
        ) from None


def _resolved(text: str, info: ValidationInfo) -> str:
    """Relative to the inventory's directory, ``~`` to the home directory; as it is where the context says neither."""
    context: Mapping[str, Path] = info.context or {}
    if text.startswith("~/") and "home" in context:
        return str(context["home"] / text[2:])
    if not text.startswith("~/") and "directory" in context:
        return str(context["directory"] / text)
    return text


def _interval(seconds: int) -> int:
    """What a calendar can say alike on every host: slots that begin and have their middles at the same moments."""
    divides_an_hour = HOUR_SECONDS % seconds == 0 if seconds else False
    divides_a_day = seconds >= LONG_INTERVAL and DAY_SECONDS % seconds == 0
    if seconds < MINIMUM_INTERVAL or seconds % 2 or not (divides_an_hour or divides_a_day):
        raise refusal(
            "slots of that length do not fit into hours or days",
            f"use an even number from {MINIMUM_INTERVAL} that divides 3600, or from {LONG_INTERVAL} one that divides "
            "86400, like 30, 60, 300 or 21600",
        )
    return seconds


def _public_key(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise refusal("not an Ed25519 public key", "write what `haplane up` printed as signing_key: 44 characters")
    return text


def _service_url(text: str) -> str:
    if re.search(r"//[^/]*@", text):
        raise refusal("holds a user name or password", "write the URL without; credentials have files of their own")
    return text


def _not_empty(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values:
        raise refusal("is empty", "name at least one")
    return values


def _endpoint(value: object) -> object:
    if not isinstance(value, str):
        return value
    address, colon, port = value.rpartition(":")
    if not colon:
        return {"address": value}
    if ":" in address:
        raise refusal("not ADDRESS:PORT", "write an IPv4 address or a DNS name and a port, like 10.0.0.10:6443")
    if not re.fullmatch(r"[0-9]{1,5}", port):
        raise refusal("its port is not a number", "write it like 10.0.0.10:6443")
    return {"address": address, "port": int(port)}


def _component(value: object) -> object:
    """Fields of a Kubernetes component's configuration: scalars or one level of mapping."""
    if isinstance(value, dict):
        for name, setting in value.items():
            _check_setting(_FIELD_NAME, name, setting)
    return value


def _check_setting(names: re.Pattern[str], name: object, setting: object) -> None:
    if not isinstance(name, str) or not names.fullmatch(name):
        raise refusal("has a name that is not a field's", "use the component's own field names, like maxPods")
    if isinstance(setting, dict) and names is _FIELD_NAME:
        for inner_name, inner in setting.items():
            _check_setting(_INNER_NAME, inner_name, inner)
    elif isinstance(setting, str):
        if not _SETTING_TEXT.fullmatch(setting):
            raise refusal(
                f"{name} has characters that are not allowed here", "use letters, digits, spaces, ._/@+,=:%-"
            )
    elif not isinstance(setting, int | float) or (isinstance(setting, float) and not math.isfinite(setting)):
        raise refusal(
            f"{name} is not a text, number, True or False, or one level of mapping of these", "write one of these"
        )


def between(low: float, high: float) -> AfterValidator:
    """A number of that range, both ends included."""

    def check(number: float) -> float:
        if not low <= number <= high:
            raise refusal("out of range", f"use a number from {low} to {high}")
        return number

    return AfterValidator(check)


def named(values: Mapping[str, object]) -> BeforeValidator:
    """A value that may also be given by its name."""

    def look_up(value: object) -> object:
        if isinstance(value, str):
            if value not in values:
                raise refusal("not a known name", f"use {' or '.join(sorted(values))}, or a mapping of settings")
            return values[value]
        return value

    return BeforeValidator(look_up)


def _text(pattern: str, remedy: str, problem: str = "has characters that are not allowed here") -> AfterValidator:
    return _matching(pattern, problem, remedy)


many = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
EndpointText = BeforeValidator(_endpoint)
not_empty = AfterValidator(_not_empty)

Port = Annotated[int, between(1, 65535)]
HostName = Annotated[
    str,
    _text(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "use 1-63 lower-case letters, digits and hyphens, like m1",
        "not a host name",
    ),
    AfterValidator(_host_name),
]
Name = Annotated[str, _text(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", "use 1-40 lower-case letters, digits and hyphens")]
DnsName = Annotated[
    str,
    _text(
        r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
        "use an IPv4 address or a name of lower-case letters, digits, hyphens and dots",
        "neither an IPv4 address nor a DNS name",
    ),
    AfterValidator(_dns_name),
]
UserName = Annotated[
    str, _text(r"[a-z_][a-z0-9_-]{0,31}", "use 1-32 lower-case letters, digits, _ and -", "not a user name")
]
CheckName = Annotated[str, _text(r"[A-Za-z0-9-]{1,100}", "use kubeadm's name of the check, like NumCPU")]
InterfaceName = Annotated[str, _text(r"[a-z0-9]{1,12}", "use 1-12 lower-case letters and digits, like haplane0")]
FilePath = Annotated[
    str,
    _text(
        r"(~/)?[\w ./@+,=:%-]{1,4096}",
        "use a path of letters, digits, spaces and ._/@+,=:%- (it may start with ~/)",
        "has characters that a shell would act on",
    ),
    AfterValidator(_resolved),
]
Address = Annotated[IPv4Address, BeforeValidator(_address), AfterValidator(_unicast)]
Network = Annotated[IPv4Network, BeforeValidator(_network)]
KubernetesVersion = Annotated[str, AfterValidator(_version)]
AgeRecipient = Annotated[str, AfterValidator(_recipient)]
Interval = Annotated[int, AfterValidator(_interval)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
ServiceUrl = Annotated[
    str,
    _text(
        r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[\w./%+=~-]{0,1000})?",
        "write it like https://s3.example.org:9000",
        "not an http or https URL",
    ),
    AfterValidator(_service_url),
]
BucketName = Annotated[
    str, _text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "use the bucket's name: 3-63 lower-case letters, digits, - and .")
]
RegionName = Annotated[str, _text(r"[a-z0-9-]{1,64}", "use a region's name, like eu-central-1")]
ObjectPrefix = Annotated[
    str,
    _text(r"([A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(/(?!$)|$)){0,5}", "write it like backups/etcd, without a / around"),
]
HostDirectory = Annotated[
    str,
    _text(
        r"(/(?!\.\.?(/|$))[A-Za-z0-9._-]{1,100}){2,10}",
        "use an absolute path on the hosts, like /var/lib/haplane/snapshots, of letters, digits and ._-",
        "not a directory for snapshots",
    ),
]
Word = Annotated[
    str, _text(r"[\w ./@+,=:%-]{1,1000}", "use letters, digits, spaces and ._/@+,=:%-; no shell reads it")
]

ComponentSettings = Annotated[dict[str, Scalar | dict[str, Scalar]], BeforeValidator(_component)]
