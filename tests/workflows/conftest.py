"""A bucket of a real S3 server."""

import pytest
from agent.machinery import rclone

from haplane.agent.settings import S3Settings


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """rclone's, over what it keeps in a directory."""
    directory = tmp_path_factory.mktemp("s3")
    credentials = directory / "credentials"
    credentials.write_text("[default]\naws_access_key_id = access\naws_secret_access_key = secret\n")
    with rclone(directory, None, S3Settings("backups", credentials_file=str(credentials))) as server:
        yield server.settings


@pytest.fixture
def bucket(s3_server, tmp_path):
    """The inventory's settings of a part of it that is the test's own."""
    return {
        "bucket": s3_server.bucket,
        "endpoint_url": s3_server.endpoint_url,
        "credentials_file": s3_server.credentials_file,
        "prefix": tmp_path.name,
    }
