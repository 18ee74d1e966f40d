"""Runs on a member's host: whether the peer URL that etcd refuses as taken is the learner's that was to be added.

Takes a name and a URL as arguments and what ``etcdctl member list -w json`` prints as input; ends with why not.
"""

import json
import sys

name, url = sys.argv[1:]
for member in json.load(sys.stdin)["members"]:
    if url in member.get("peerURLs", []):
        its, votes = member.get("name", ""), not member.get("isLearner")
        if votes or its not in ("", name):
            role = "voter" if votes else "learner"
            sys.exit(f"{url} is already the peer URL of the {role} {member['ID']:x} ({its or 'without a name'})")
