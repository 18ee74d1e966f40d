"""Runs on a member: if it leads, the ids of the members that could instead, as etcdctl takes them.

From what ``etcdctl endpoint status -w json`` of this member prints, and then ``etcdctl member list -w json``.
"""

import json
import sys

(own,), cluster = map(json.loads, sys.stdin)
status = own["Status"]
this = status["header"]["member_id"]
if status.get("leader") == this:
    voters = [one["ID"] for one in cluster["members"] if not one.get("isLearner") and one["ID"] != this]
    sys.stdout.write(" ".join(format(voter, "x") for voter in voters) + "\n")
