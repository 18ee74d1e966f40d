"""The types of single values in an inventory. Each refuses with a problem and a remedy. Pure.

A refusal is a PydanticCustomError of type ``haplane`` whose context holds ``problem`` and ``remedy``;
:mod:`haplane.config.explain` puts field and file to it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Annotated

import pyrage
from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from haplane import supported
from haplane.domain.versions import is_version

MINIMUM_INTERVAL, LONG_INTERVAL = 10, 600
HOUR_SECONDS, DAY_SECONDS = 3600, 86400
PUBLIC_KEY_BYTES = 32
SSH_USER_CHARACTERS = 256
UNROUTED = tuple(IPv4Network(one) for one in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
"""This host, links without a router, groups, and what is reserved."""

_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ALTERNATIVE_NAME = re.compile(rf"(\*\.)?{_DNS_LABEL}(\.{_DNS_LABEL})*", re.IGNORECASE)
DNS_NAME_CHARACTERS = 253


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
        raise refusal("not a usable host name", "give the host a name of its own, like m1")
    return text


def _dns_name(text: str) -> str:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except ValueError:
            raise refusal("not an IPv4 address", "write four numbers of 0-255, like 10.0.0.10") from None
    return text


def _ssh_user(text: str) -> str:
    r"""What ssh takes (valid_ruser in its ssh.c): DOMAIN\user, user.name and user@domain are such."""
    refused = re.search(r"[\x00-\x1f\x7f'\"`;&<>|(){}]|^-|\s-|^\s|\s$|\\$", text)
    if refused or not 1 <= len(text) <= SSH_USER_CHARACTERS:
        raise refusal(
            "not a user name that ssh accepts",
            "use the name that you log in with: no quotes, brackets or ;&<>|, no - first",
        )
    return text


def _ssh_host(text: str) -> str:
    """What ssh takes (valid_hostname in its ssh.c) as a host's name alone: no user, no URI, no brackets."""
    refused = re.search(r"[\s'\"`$\\;&<>|(){}@]|^-|^ssh://|^\[[0-9a-fA-F:.]*\]$", text)
    if refused or not text.isprintable() or not 1 <= len(text) <= DNS_NAME_CHARACTERS:
        raise refusal(
            "not a host that ssh accepts",
            "use a name of ssh_config, a DNS name or an address; IPv6 without brackets, like 2001:db8::11",
        )
    return text


def _address(value: object) -> object:
    if isinstance(value, str):
        try:
            value = IPv4Address(value)
        except ValueError:
            raise refusal("not an IPv4 address", "write four numbers of 0-255, like 10.0.0.11") from None
    return value


def reaches(address: IPv4Address) -> bool:
    """Whether a packet for it can be meant for one other host."""
    return not any(address in network for network in UNROUTED)


def _unicast(address: IPv4Address) -> IPv4Address:
    if not reaches(address):
        raise refusal("not an address that other hosts can reach", "use the host's address in the cluster's network")
    return address


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = IPv4Network(value if "/" in value else "", strict=False)
    except ValueError:
        raise refusal("not an IPv4 network", "write it with its prefix length, like 10.244.0.0/16") from None
    if str(network) != value:
        raise refusal("not written as a network address and a prefix length", f"write {network}")
    if found := next((one for one in UNROUTED if one.overlaps(network)), None):
        raise refusal(f"in {found}, of which no host can have an address", "use a private one, like 10.244.0.0/16")
    return network


def _version(text: str) -> str:
    if not is_version(text) or text.startswith("v"):
        raise refusal("not a version", f"write it like {supported.DEFAULT_VERSION}")
    return text


def _recipient(text: str) -> str:
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise refusal(
            "a private age identity; never put one in an inventory",
            "use its public half, which starts with age1, and create a new identity: `haplane keys new FILE`",
        )
    try:
        return str(pyrage.x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        raise refusal(
            "not an age recipient", "use the public key that `haplane keys new` printed; it starts with age1"
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
    if seconds < MINIMUM_INTERVAL:
        raise refusal("too short", f"use {MINIMUM_INTERVAL} or more, like 30, 60 or 300")
    if seconds % 2:
        raise refusal("the interval must be even: each has a slot in its middle", "use one like 30, 60, 300 or 21600")
    divides_an_hour = HOUR_SECONDS % seconds == 0
    divides_a_day = seconds >= LONG_INTERVAL and DAY_SECONDS % seconds == 0
    if not (divides_an_hour or divides_a_day):
        remedy = (
            f"use one that divides 3600, or from {LONG_INTERVAL} one that divides 86400, like 30, 60, 300 or 21600"
        )
        raise refusal("the interval must divide an hour or a day evenly", remedy)
    return seconds


def _public_key(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise refusal("not an Ed25519 public key", "use the key that `haplane up` printed: 44 characters")
    return base64.b64encode(raw).decode()  # one key is one text


def _not_empty(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values:
        raise refusal("is empty", "name at least one")
    return values


def _endpoint(value: object) -> object:
    if value is None or isinstance(value, int | float | list | tuple):
        raise refusal("not ADDRESS:PORT", 'write it in quotes, like "10.0.0.10:6443"')
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


def _alternative_name(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        named = _ALTERNATIVE_NAME.fullmatch(text) and not re.fullmatch(r"[0-9.]+", text)
        if not named or len(text) > DNS_NAME_CHARACTERS:
            raise refusal(
                "neither an address nor a DNS name", "write it like api.example.org, *.example.org or 203.0.113.5"
            ) from None
    return text.lower()


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


def text_of(pattern: str, remedy: str, problem: str = "has characters that are not allowed here") -> AfterValidator:
    """A text that matches the whole pattern."""
    return _matching(pattern, problem, remedy)


many = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
EndpointText = BeforeValidator(_endpoint)
not_empty = AfterValidator(_not_empty)

Port = Annotated[int, between(1, 65535)]
HostName = Annotated[
    str,
    text_of(
        r"(?=.{1,63}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "use 1-63 lower-case letters, digits, hyphens and dots, like m1 or m1.example.org",
        "not a host name",
    ),
    AfterValidator(_host_name),
]
"""A DNS subdomain, as Kubernetes wants a Node's name; 63 characters, because a kubelet puts it into a label."""
Name = Annotated[
    str, text_of(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", "use 1-40 lower-case letters, digits and hyphens")
]
DnsName = Annotated[
    str,
    text_of(
        r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
        "use an IPv4 address or a name of lower-case letters, digits, hyphens and dots",
        "neither an IPv4 address nor a DNS name",
    ),
    AfterValidator(_dns_name),
]
DomainName = Annotated[DnsName, text_of(r"(?![0-9.]+\Z).*", "write a name like cluster.local", "not a DNS domain")]
UserName = Annotated[str, AfterValidator(_ssh_user)]
SshHostName = Annotated[str, AfterValidator(_ssh_host)]
CheckName = Annotated[str, text_of(r"[A-Za-z0-9-]{1,100}", "use kubeadm's name of the check, like NumCPU")]
InterfaceName = Annotated[str, text_of(r"[a-z0-9]{1,12}", "use 1-12 lower-case letters and digits, like haplane0")]
FilePath = Annotated[
    str,
    text_of(
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
Word = Annotated[
    str, text_of(r"[\w ./@+,=:%-]{1,1000}", "use letters, digits, spaces and ._/@+,=:%-; no shell reads it")
]

AlternativeName = Annotated[str, AfterValidator(_alternative_name)]
RegistryName = Annotated[
    str,
    text_of(
        r"_default|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?",
        "use its host name, with a port if images are named with it, like docker.io; _default stands for all others",
        "not a registry's name",
    ),
]
