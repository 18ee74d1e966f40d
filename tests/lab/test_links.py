"""Links that are cut, as nft lists them."""

from __future__ import annotations

from haplane.lab.links import parse_severed


def test_links_that_are_cut_are_read_from_nfts_json() -> None:
    printed = (
        '{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "bridge", "name": "t", "handle": 1}},'
        '{"set": {"family": "bridge", "name": "severed", "table": "t", "type": ["ifname", "ifname"], "handle": 2,'
        '"elem": [{"concat": ["a", "b"]}]}}]}'
    )
    assert parse_severed(printed) == [("a", "b")]
    assert parse_severed(printed.replace('"elem": [{"concat": ["a", "b"]}]', '"flags": []')) == []
