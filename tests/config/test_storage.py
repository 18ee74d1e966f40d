"""What says where snapshots are kept: as the services' own programs take it, and nothing that would hurt a host."""

import re

import pytest
from botocore.handlers import validate_bucket_name
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from haplane.config.snapshots import S3
from haplane.config.storage import BucketName, HostDirectory, ProxyUrl, RegionName, ServiceUrl

TAKEN = {
    RegionName: ("us-east-1", "eu-central-1", "RegionOne", "GRA", "default", "fr-par", "US-EAST-VA", "a"),
    BucketName: ("etcd", "Old_Bucket", "my_bucket.of-2009", "1bucket", "_x_", "a" * 255, "backup--use1-az4--x-s3"),
    ServiceUrl: (
        "https://s3.example.org", "https://S3.example.org:9000/x/y", "http://10.0.0.1:9000", "http://minio:9000",
        "https://[2001:db8::1]:9000", "https://[::1]", "http://[::ffff:10.0.0.1]:9000/", "https://s3.example.org.",
    ),
    ProxyUrl: ("http://proxy.example.org:3128", "https://proxy:3129/", "http://[2001:db8::9]:3128", "http://proxy"),
    HostDirectory: (
        "/var/lib/haplane/snapshots", "/var/lib/haplane/other", "/srv/etcd-snapshots", "/srv/backups/etcd",
        "/mnt/disk2", "/mnt/disk2/etcd/snapshots", "/data/etcd", "/opt/backups/etcd", "/var/backups/haplane/etcd",
    ),
}  # fmt: skip

REFUSED = {
    RegionName: ("", "-x", "x-", "1234", "a b", "us_east", "a/b", "x" * 64, "eu-central-1\n", "é"),
    BucketName: ("", "ab", "a" * 256, "..", "a..b", ".a", "a/b", "a b", "a\nb", "-x", "café"),
    ServiceUrl: (
        "", "s3.example.org", "ftp://x", "https://", "https://a_b", "https://me:pw@s3", "https://x:0", "https://x:99999",
        "https://[2001:db8::1", "https://[::g]", "https://[::1%eth0]", "https://2001:db8::1", "https://x/?q=1",
        "https://x/$(id)", "https://-x", "https://x..y", "https://x\n", "https://[]", "https://x/#f",
    ),
    ProxyUrl: ("socks5://x", "http://x/path", "http://u:p@x:3128", "x:3128"),
    HostDirectory: (
        "/", "/usr/bin", "/usr/local/x", "/etc/ssh", "/var/lib", "/var/lib/x", "/var", "/tmp/x", "/var/tmp/x/y",
        "/srv", "/mnt", "/opt", "/opt/x", "/home/me/snapshots", "/root/x", "/boot/x", "/dev/shm/x", "/run/x", "/data",
        "/var/lib/etcd/snapshots", "/var/lib/kubelet/x", "/var/log/x", "/var/lib/haplane", "/opt/haplane/x",
        "relative/x", "/srv/../etc", "/srv/./x", "/srv//x", "/srv/x/", "/srv/a b", "/srv/$(id)", "/srv/x\n",
        "/bin/x", "/lib64/x", "/var/lib/containerd/x", "/etc/haplane/snapshots", "/var/spool/x", "/lib/x/y",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in TAKEN.items() for value in values])
def test_taken(kind, value):
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in REFUSED.items() for value in values])
def test_refused(kind, value):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    assert refused.value.errors()[0]["type"] == "haplane"
    assert refused.value.errors()[0]["ctx"]["remedy"]


@given(st.from_regex(r"[A-Za-z0-9_.-]{3,80}", fullmatch=True))
def test_no_bucket_is_taken_that_boto_refuses(name):
    try:
        TypeAdapter(BucketName).validate_python(name)
    except ValidationError:
        return
    validate_bucket_name({"Bucket": name})


@given(st.from_regex(re.compile(r"/(usr|etc|bin|tmp|boot|dev|proc|sys|run|root)(/[a-z.]{1,9}){0,4}"), fullmatch=True))
def test_nothing_in_a_tree_of_the_system_is_taken(path):
    with pytest.raises(ValidationError):
        TypeAdapter(HostDirectory).validate_python(path)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kms_key_id": "k"}, "without encryption by KMS"),
        ({"kms_key_id": "k", "server_side_encryption": "AES256"}, "without encryption by KMS"),
        ({"server_side_encryption": "rot13"}, "AES256"),
        ({"path_style": False, "endpoint_url": "https://10.0.0.1:9000"}, "path_style"),
        ({"path_style": False, "endpoint_url": "https://[::1]:9000"}, "path_style"),
        ({"path_style": False, "bucket": "with_underscore"}, "path_style"),
    ],
)
def test_what_does_not_fit_together(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        S3(**{"bucket": "etcd", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"server_side_encryption": "AES256"},
        {"server_side_encryption": "aws:kms"},
        {"server_side_encryption": "aws:kms", "kms_key_id": "arn:aws:kms:eu-central-1:123456789012:key/0b4c-2d5e"},
        {"server_side_encryption": "aws:kms:dsse", "kms_key_id": "alias/backups"},
        {"path_style": False, "endpoint_url": "https://s3.example.org"},
        {"path_style": False},
    ],
)
def test_what_fits_together(settings):
    assert S3(**{"bucket": "etcd", **settings})
