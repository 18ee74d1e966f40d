"""Runs on a host: which of the tables that ``nft -j list tables`` prints are kube-proxy's or flannel's.

Prints ``FAMILY NAME``, a line each.
"""

import json
import sys

for entry in json.load(sys.stdin)["nftables"]:
    table = entry.get("table", {})
    if table.get("name", "").startswith(("kube-proxy", "flannel")):
        sys.stdout.write(f"{table['family']} {table['name']}\n")
