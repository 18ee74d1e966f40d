"""Who may log in to API servers besides holders of certificates: ``oidc-*`` flags as an AuthenticationConfiguration.

An API server takes either those flags or such a file, and the file is what keeps anonymous access to three paths.
Defaults are those of the flags (pkg/kubeapiserver/options/authentication.go).
"""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.arguments import OIDC, texts
from haplane.errors import HaplaneError
from haplane.render import render

DEFAULT_AUDIENCE = "kubernetes"
NO_PREFIX = "-"
CA_FILE = "ca-file"


def authentication_configuration(inventory: Inventory, oidc_ca: str | None) -> str:
    """The file's text. ``oidc_ca`` is what the file holds that an ``oidc-ca-file`` names."""
    return render("authentication.yaml.j2", issuers=_issuers(inventory, oidc_ca))


def ca_file(inventory: Inventory) -> str | None:
    """The path that an ``oidc-ca-file`` gives."""
    return _last(_flags(inventory)).get(CA_FILE)


def _flags(inventory: Inventory) -> dict[str, list[str]]:
    """Every value of each ``oidc-*`` flag, by its name without that."""
    flags = inventory.cluster.tuning.kube_apiserver
    return {name.removeprefix(OIDC): texts(value) for name, value in flags.items() if name.startswith(OIDC)}


def _last(given: dict[str, list[str]]) -> dict[str, str]:
    """The value that counts of a flag that takes one."""
    return {name: values[-1] for name, values in given.items() if values}


def _issuers(inventory: Inventory, oidc_ca: str | None) -> list[dict[str, object]]:
    given = _flags(inventory)
    if not given:
        return []
    one = _last(given)
    url = one.get("issuer-url", "")
    issuer: dict[str, object] = {"url": url, "audiences": [one.get("client-id", DEFAULT_AUDIENCE)]}
    if CA_FILE in one:
        if oidc_ca is None:
            raise HaplaneError("internal error: oidc-ca-file was not read", next_step="please report it")
        issuer["certificateAuthority"] = oidc_ca
    claim = one.get("username-claim", "sub")
    prefix = one.get("username-prefix", "" if claim == "email" else f"{url}#")
    mappings: dict[str, object] = {"username": {"claim": claim, "prefix": "" if prefix == NO_PREFIX else prefix}}
    if "groups-claim" in one:
        mappings["groups"] = {"claim": one["groups-claim"], "prefix": one.get("groups-prefix", "")}
    found: dict[str, object] = {"issuer": issuer, "claimMappings": mappings}
    rules = [word.partition("=") for text in given.get("required-claim", ()) for word in text.split(",")]
    if rules:
        found["claimValidationRules"] = [{"claim": name, "requiredValue": value} for name, _, value in rules]
    return [found]
