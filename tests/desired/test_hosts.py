import samples

from haplane.desired.hosts import proxy_fingerprint


def test_kube_proxy_starts_anew_where_it_would_ask_an_endpoint_that_is_gone():
    """A cluster restored behind another address has pods of kube-proxy that read the old one."""
    here, there = (samples.inventory(endpoint=endpoint) for endpoint in ("10.0.0.10:6443", "10.0.0.20:6443"))
    assert proxy_fingerprint(here) != proxy_fingerprint(there)
    assert proxy_fingerprint(here) == proxy_fingerprint(samples.inventory(endpoint="10.0.0.10:6443"))
