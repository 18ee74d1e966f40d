"""An API server in memory, behind the one method that drills call: it keeps what it is given and lists it."""

import json
from urllib.parse import urlsplit

from haplane.drills.pods.pod_kinds import LABEL
from haplane.drills.probing.client import Reply

IMAGES = [{"names": [f"registry.k8s.io/{name}"]} for name in ("pause:3.10.1", "coredns/coredns:v1.13.1")]


class FakeApi:
    """``listed`` are the items of a collection by its path; ``kept`` changes an object before it is stored."""

    def __init__(self):
        self.objects, self.listed, self.deleted, self.refuses = {}, {}, [], {}

    def request(self, method, path, body=None, *, seconds=1.0):
        path = urlsplit(path).path
        match method:
            case "POST":
                return self._post(path, body)
            case "DELETE":
                self.deleted.append(path)
                return reply({} if self.objects.pop(path, None) else {}, 200)
        if path in self.listed:
            return reply({"items": self.listed[path]})
        if path.startswith("/api/v1/nodes/"):
            return reply({"status": {"images": IMAGES, "conditions": [{"type": "Ready", "status": "False"}]}})
        return reply(self.objects[path]) if path in self.objects else reply({"items": []})

    def _post(self, path, body):
        name = body["metadata"]["name"]
        if name in self.refuses:
            return reply({"message": self.refuses[name]}, 422)
        self.objects[f"{path}/{name}"] = body
        return reply(body, 201)


def reply(document, status=200):
    return Reply(status, json.dumps(document).encode())


def pod(kind, uid, *, ready=True, deleted=False, restarts=0, address="10.0.0.1", node="m2"):
    metadata = {"uid": uid, "name": uid, "labels": {LABEL: kind}, **({"deletionTimestamp": "now"} if deleted else {})}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"conditions": conditions, "podIP": address, "containerStatuses": [{"restartCount": restarts}]},
    }
