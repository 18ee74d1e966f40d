import samples

from haplane.desired.hosts import dns_fingerprint, proxy_fingerprint


def test_kube_proxy_starts_anew_where_it_would_ask_an_endpoint_that_is_gone():
    """A cluster restored behind another address has pods of kube-proxy that read the old one."""
    here, there = (samples.inventory(endpoint=endpoint) for endpoint in ("10.0.0.10:6443", "10.0.0.20:6443"))
    assert proxy_fingerprint(here) != proxy_fingerprint(there)
    assert proxy_fingerprint(here) == proxy_fingerprint(samples.inventory(endpoint="10.0.0.10:6443"))


def test_dns_is_left_alone_by_what_it_is_not_made_from():
    def made(**cluster):
        return dns_fingerprint(samples.inventory(**cluster), samples.manifest())

    assert made() == made(unreachable_toleration_seconds=77, endpoint="10.0.0.20:6443")
    assert made() != made(dns_domain="other.local")
