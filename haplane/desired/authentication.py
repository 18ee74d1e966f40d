"""Who may log in to API servers besides holders of certificates: ``oidc-*`` flags as an AuthenticationConfiguration.

An API server takes either those flags or such a file, and the file is what keeps anonymous access to three paths.
Defaults are those of the flags (pkg/kubeapiserver/options/authentication.go).
"""

from __future__ import annotations

from pathlib import Path

from haplane.config.model import Inventory
from haplane.domain.arguments import OIDC, texts
from haplane.errors import BadInput
from haplane.render import render

DEFAULT_AUDIENCE = "kubernetes"
NO_PREFIX = "-"
MOST_BYTES = 1 << 20


def authentication_configuration(inventory: Inventory) -> str:
    """The file's text. Raises BadInput for an ``oidc-ca-file`` that cannot be read."""
    return render("authentication.yaml.j2", issuers=_issuers(inventory))


def _issuers(inventory: Inventory) -> list[dict[str, object]]:
    flags = inventory.cluster.tuning.kube_apiserver
    given = {name.removeprefix(OIDC): texts(value) for name, value in flags.items() if name.startswith(OIDC)}
    if not given:
        return []
    one = {name: values[-1] for name, values in given.items() if values}
    url = one.get("issuer-url", "")
    issuer: dict[str, object] = {"url": url, "audiences": [one.get("client-id", DEFAULT_AUDIENCE)]}
    if "ca-file" in one:
        issuer["certificateAuthority"] = _ca(inventory, one["ca-file"])
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


def _ca(inventory: Inventory, named: str) -> str:
    path = Path(inventory.path).parent / Path(named).expanduser()
    try:
        text = path.read_text("ascii") if path.stat().st_size <= MOST_BYTES else ""
    except (OSError, ValueError) as error:
        raise BadInput(
            f"oidc-ca-file cannot be read: {path}",
            where=f'{inventory.path}: cluster["tuning"]["kube_apiserver"]',
            why=str(error),
            next_step="give the path of a PEM file on this machine",
        ) from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise BadInput(
            f"oidc-ca-file holds no certificate: {path}",
            where=f'{inventory.path}: cluster["tuning"]["kube_apiserver"]',
            next_step="give the path of a PEM file on this machine",
        )
    return text
