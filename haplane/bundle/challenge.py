"""What HTTP servers and registries answer when they refuse, taken apart. Pure: every response is untrusted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]{0,2000})"|([^\s",]{1,2000}))')
SCHEME = re.compile(r"\s*(?P<scheme>[A-Za-z]+)(?:\s+(?P<rest>.*))?", re.DOTALL)
REASON_CHARACTERS = 200


@dataclass(frozen=True)
class Challenge:
    """A ``WWW-Authenticate`` header: ``scheme`` in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str]

    @property
    def realm(self) -> str:
        """Where a token is to be had, or what a password is for."""
        return self.parameters.get("realm", "")

    def token_url(self) -> str:
        """The realm with the other parameters in its query, after what it has there already."""
        wanted = {name: value for name, value in self.parameters.items() if name in {"service", "scope"}}
        parts = urlsplit(self.realm)
        query = "&".join(filter(None, (parts.query, urlencode(wanted))))
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def parse_challenge(header: str) -> Challenge | None:
    """The challenge in a header; of several, the first that is ``Bearer``, else the first. None for anything else."""
    found = [
        Challenge(
            matched["scheme"].lower(),
            {name.lower(): quoted or plain for name, quoted, plain in PARAMETER.findall(matched["rest"] or "")},
        )
        for part in re.split(r",\s*(?=[A-Za-z]+\s+\w+\s*=)", header[:8000])
        if (matched := SCHEME.fullmatch(part))
    ]
    return next((one for one in found if one.scheme == "bearer" and one.realm), found[0] if found else None)


def refusal_reason(body: bytes) -> str:
    """Why, in the server's own words: a registry's first error, else the first line of a text; empty for HTML."""
    text = body.decode(errors="replace").strip()
    try:
        document = json.loads(text)
        error = document["errors"][0] if "errors" in document else document
        words = [str(error[key]) for key in ("code", "message") if error.get(key)]
        text = ": ".join(words)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        text = "" if text.startswith(("<", "{", "[")) else text
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(character for character in first if character.isprintable())[:REASON_CHARACTERS]
