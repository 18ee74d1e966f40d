"""Runs on a member: etcd's revision, from what ``etcdctl get -w json`` prints."""

import json
import sys

sys.stdout.write(f"{json.load(sys.stdin)['header']['revision']}\n")
