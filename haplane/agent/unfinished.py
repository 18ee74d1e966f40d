"""A record on the disk of the multipart upload that is under way: the next run aborts it if this one dies.

It needs no right to list uploads, which a host's credentials may not have.
"""

from __future__ import annotations

import json
from pathlib import Path

from haplane.agent.local import UPLOAD, write_file
from haplane.agent.objects import Upload
from haplane.agent.store import Store
from haplane.errors import HaplaneError


class UnfinishedUpload:
    """The record, beside the snapshots."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / UPLOAD

    def remember(self, upload: Upload) -> None:
        """Write the record."""
        write_file(self._path, json.dumps({"key": upload.key, "upload_id": upload.upload_id}).encode())

    def forget(self) -> None:
        """Remove the record: the upload is complete or aborted."""
        self._path.unlink(missing_ok=True)

    def abort(self, store: Store) -> None:
        """Abort what an earlier run left. When the server refuses or does not respond, the next run tries again."""
        try:
            document = json.loads(self._path.read_bytes())
            store.abort(Upload(str(document["key"]), str(document["upload_id"])))
        except FileNotFoundError:
            return
        except HaplaneError:
            return
        except (ValueError, LookupError, TypeError):
            pass
        self.forget()
