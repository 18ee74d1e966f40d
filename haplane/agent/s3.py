"""boto3 as haplane uses it: one client for AWS and compatible servers, and its errors as HaplaneErrors.

boto3 is imported on first use, because importing it is slow and most ticks and commands do not need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from haplane.agent.bounded import BoundedSession
from haplane.agent.settings import S3Settings
from haplane.errors import BadInput, HaplaneError, Unreachable

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 3
PARTS_AT_ONCE = 2

ABSENT = frozenset(("NoSuchKey", "NoSuchUpload", "404", "NotFound"))
NOT_ALLOWED = frozenset(
    ("AccessDenied", "Forbidden", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken")
)


UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What botocore raises where a number, a date or a document in a response is none."""


class NotStored(HaplaneError):
    """The object, or the snapshot, is not in the bucket."""


def client(settings: S3Settings, *, environment: bool = False) -> Any:
    """A boto3 client for the bucket's server. Raises BadInput when the credentials file holds none.

    Without a proxy in the settings none is used, unless the ``environment`` may name one.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    key, secret, token = _credentials(settings.credentials_file) if settings.credentials_file else (None, None, None)
    made = boto3.client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        verify=settings.ca_file or True,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.path_style else "virtual"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=PARTS_AT_ONCE,
            **_proxy(settings, environment=environment),
        ),
    )
    made._endpoint.http_session = BoundedSession(made._endpoint.http_session)
    return made


def _proxy(settings: S3Settings, *, environment: bool) -> dict[str, Any]:
    """Botocore reads proxies from the environment only while it is given none at all."""
    if settings.proxy is None:
        return {} if environment else {"proxies": {}}
    authority = {"proxies_config": {"proxy_ca_bundle": settings.ca_file}} if settings.ca_file else {}
    return {"proxies": {"http": settings.proxy, "https": settings.proxy}, **authority}


def _credentials(path: str) -> tuple[str, str, str | None]:
    """What the file's default profile holds, and nothing of the environment."""
    from botocore.credentials import SharedCredentialProvider  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        found = SharedCredentialProvider(creds_filename=path, profile_name="default").load()
    except BotoCoreError:  # its message may quote the file
        found = None
    if found is None:
        raise BadInput(
            "this file holds no S3 credentials",
            where=path,
            next_step="write aws_access_key_id and aws_secret_access_key into the section [default] of that file",
        )
    return found.access_key, found.secret_key, found.token


@contextmanager
def translated(where: str, settings: S3Settings) -> Iterator[None]:
    """What boto3 raises inside becomes an error that names ``where``, without the server's own text."""
    from botocore import exceptions as boto  # noqa: PLC0415

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(error.response, where, settings) from None
    except (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError) as error:
        why = f"{type(error).__name__}: {str(error)[:300]}"
        raise Unreachable("the S3 server does not respond", where=where, why=why) from None
    except boto.BotoCoreError as error:
        raise BadInput("the S3 settings are not usable", where=where, why=str(error)[:300]) from None
    except UNREADABLE as error:
        raise unusable_response(where, f"{type(error).__name__}: {error}"[:200]) from None


def unusable_response(where: str, why: str) -> HaplaneError:
    """For a response that is not what S3 answers."""
    return HaplaneError(
        "the response of the S3 server cannot be read",
        where=where,
        why=why,
        next_step="check the server and any proxy before it; some rewrite responses",
    )


def _refusal(answer: Any, where: str, settings: S3Settings) -> HaplaneError:
    code = re.sub(r"\W", "", str(answer.get("Error", {}).get("Code", "")))[:64] or "no code"
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return BadInput("the bucket does not exist", where=where, next_step=f"create the bucket {settings.bucket}")
    if code in ABSENT:
        return NotStored("this object is not in the bucket", where=where, why=code)
    if code in NOT_ALLOWED:
        credentials = settings.credentials_file or "the credentials"
        remedy = f"check {credentials} and the policy of the bucket"
        return BadInput("the S3 server does not allow this", where=where, why=code, next_step=remedy)
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return Unreachable("the S3 server failed", where=where, why=f"HTTP {status}, {code}")
    return HaplaneError("the S3 server refused the request", where=where, why=f"HTTP {status}, {code}")
