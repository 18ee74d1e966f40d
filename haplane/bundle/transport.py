"""One HTTP request at a time: proxies, certificates, redirects and passwords; no retries.

Headers stay at a redirect, as all release sites redirect to their storage; Authorization goes to no other origin.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies

import urllib3

from haplane.agent.deadlines import Late, within
from haplane.bundle.challenge import refusal_reason
from haplane.bundle.credentials import Credentials
from haplane.bundle.mirrors import is_loopback, parsed, shown
from haplane.errors import BadInput, HaplaneError
from haplane.proxies import is_exempt

STALL_SECONDS = 30.0
STALLS = 3
REDIRECTS = 5
REFUSAL_BYTES = 1 << 14
REDIRECT_CODES = frozenset({301, 302, 303, 307, 308})
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
ANONYMOUS = {"Authorization": ""}
"""Headers of a request that takes no password along, whatever the host is."""

Answer = TypeVar("Answer")
AGENT = f"haplane/{version('haplane')}"


class Interrupted(Exception):
    """An attempt failed that another one may repeat. ``retry_after`` is the server's wish, as it wrote it."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Status(HaplaneError):
    """The site answered, with a refusal. ``code`` is the HTTP status, ``challenge`` its WWW-Authenticate."""

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse, reason: str) -> None:
        super().__init__(
            f"{shown(url)} returned {response.status} {response.reason or ''}".rstrip(),
            why=reason or None,
            next_step="check the address, and with --mirror that the mirror has this path",
        )
        self.code = response.status
        self.challenge = ", ".join(response.headers.getlist("WWW-Authenticate"))


@dataclass
class Transport:
    """``ca_file`` replaces the machine's CAs; ``stall_seconds`` is how long a connection may bring nothing."""

    ca_file: Path | None = None
    credentials: Credentials = Credentials()
    stall_seconds: float = STALL_SECONDS
    _pools: dict[str | None, urllib3.PoolManager] = field(default_factory=dict)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer, with its body still to be read: 200, 206 or 416.

        Raises Interrupted for what may go better another time, Status for a refusal, HaplaneError for a redirect
        that is not followed and a certificate that is not trusted.
        """
        try:
            response = self._follow(url, headers)
        except urllib3.exceptions.HTTPError as error:
            raise self._failure(url, error) from error
        try:
            if response.status not in {200, 206, 416}:
                raise self._refusal(url, response)
            yield response
        except urllib3.exceptions.HTTPError as error:
            raise self._failure(url, error) from error
        finally:
            response.close()

    def _follow(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        if "Authorization" not in sent:
            sent |= self._password(url)
        sent = {name: value for name, value in sent.items() if value}
        for _ in range(REDIRECTS + 1):
            asking = partial(
                self._pool(url).request,
                "GET",
                url,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=self.stall_seconds, read=self.stall_seconds),
            )
            response = self._in_time(asking)
            location = response.headers.get("Location")
            if response.status not in REDIRECT_CODES or not location:
                return response
            response.close()
            target = _redirected(url, location)
            if _origin(target) != _origin(url):
                sent.pop("Authorization", None)
            url = target
        raise HaplaneError(f"more than {REDIRECTS} redirects", where=shown(url))

    def piece(self, response: urllib3.BaseHTTPResponse, most: int, *, decode: bool | None = None) -> bytes:
        """What has arrived of an answer's body, ``most`` bytes at most. Raises Interrupted, and urllib3's errors."""
        read = partial(response.read1, most, decode_content=decode)
        # Of one in chunks, what is between them is read too, as long as it goes on.
        return self._in_time(read) if getattr(response, "chunked", False) else read()

    def _in_time(self, act: Callable[[], Answer]) -> Answer:
        """The stall is for each byte anew; nothing that brings no body may take longer than several."""
        try:
            return within(STALLS * self.stall_seconds, act)
        except Late:
            raise Interrupted("it is too slow") from None

    def _password(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        found = self.credentials.of(host)
        if found is None:
            return {}
        if parts.scheme != "https" and not is_loopback(host):
            raise BadInput(
                f"the password of {host} is not sent over http", where=shown(url), next_step="use its https address"
            )
        return {"Authorization": _basic(*found)}

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = None if is_exempt(url) else getproxies().get(urlsplit(url).scheme)
        if proxy not in self._pools:
            context = _context(self.ca_file)
            self._pools[proxy] = _proxied(proxy, context) if proxy else urllib3.PoolManager(ssl_context=context)
        return self._pools[proxy]

    def _refusal(self, url: str, response: urllib3.BaseHTTPResponse) -> Exception:
        try:
            reason = refusal_reason(self._in_time(partial(response.read, REFUSAL_BYTES)))
        except Interrupted:
            reason = ""
        if response.status in TRANSIENT:
            words = f"HTTP {response.status} {response.reason or ''}".rstrip()
            return Interrupted(f"{words}: {reason}" if reason else words, response.headers.get("Retry-After"))
        return Status(url, response, reason)

    def _failure(self, url: str, error: urllib3.exceptions.HTTPError) -> Exception:
        refused = urllib3.exceptions.NewConnectionError  # counts as a time-out to urllib3
        if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, refused):
            return Interrupted("the connection stalled: no data for too long")
        cause = error.__cause__ or error
        reasons = (cause, *error.args)  # urllib3 wraps one error in another
        if any(isinstance(one, ssl.SSLCertVerificationError) for one in reasons):
            return HaplaneError(
                "the server's certificate is not trusted",
                where=shown(url),
                why=str(cause),
                next_step="give the CA that signed its certificate with --ca-file, or in $SSL_CERT_FILE",
            )
        return Interrupted(str(cause) or type(error).__name__)


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads: to https, and to http only from http."""
    allowed = {"https"} if urlsplit(url).scheme == "https" else {"http", "https"}
    target = urljoin(url, location) if parsed(location) is not None else location
    parts = parsed(target)
    if parts is None or parts.scheme not in allowed or not parts.hostname:
        raise HaplaneError(
            "a redirect was not followed",
            where=shown(url),
            why=f"it leads to {shown(target)}; it may lead to https only, and to http from http",
        )
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """The machine's certificates, or those of $SSL_CERT_FILE, or those given."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:  # ssl.SSLError is one
        raise BadInput(
            "the CA file cannot be used",
            where=str(ca_file),
            why=error.strerror or str(error),
            next_step="give a file of PEM certificates with --ca-file",
        ) from error


def _proxied(proxy: str, context: ssl.SSLContext) -> urllib3.ProxyManager:
    address = proxy if "://" in proxy else f"http://{proxy}"
    parts = parsed(address)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput("this proxy cannot be used", where=shown(address), next_step="give one as http://HOST:PORT")
    headers = None
    if parts.username is not None:
        headers = {"Proxy-Authorization": _basic(unquote(parts.username), unquote(parts.password or ""))}
    scheme, name, port = _origin(address)
    return urllib3.ProxyManager(
        f"{scheme}://{f'[{name}]' if ':' in parts.hostname else name}:{port}",
        proxy_headers=headers,
        ssl_context=context,
    )
