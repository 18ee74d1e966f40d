"""NO_PROXY as curl and programs in Go read it."""

import pytest

from haplane.proxies import is_exempt


@pytest.mark.parametrize(
    ("listed", "url", "exempt"),
    [
        ("10.0.0.0/8", "https://10.1.2.3:5000/v2/", True),
        ("site.test, 10.0.0.0/8", "http://me:secret@10.1.2.3/", True),
        ("10.0.0.0/8 192.0.2.0/24", "http://192.0.2.7", True),
        ("10.0.0.1/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://10.example.com", False),
        ("10.0.0.0/33,/8,10", "https://10.1.2.3", False),
        ("2001:db8::/32", "https://[2001:db8::5]:443/", True),
        ("[2001:db8::5]", "https://[2001:db8::5]", True),
        ("192.0.2.0/24", "https://[2001:db8::5]", False),
        ("192.0.2.7", "https://192.0.2.7:6443", True),
        ("site.test", "https://me@mirror.site.test/", True),
        ("*", "https://192.0.2.7", True),
        ("", "https://192.0.2.7", False),
    ],
)
def test_an_address_in_a_network_of_no_proxy_is_reached_directly(monkeypatch, listed, url, exempt):
    """Only names and whole addresses counted: a registry at 10.1.2.3 went to the proxy in spite of 10.0.0.0/8."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", listed)
    assert is_exempt(url) is exempt
