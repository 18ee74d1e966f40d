"""A multipart upload that is under way, on the disk: the next run aborts it if this one dies.

It needs no right to list uploads, which a host's credentials may not have.
"""

from __future__ import annotations

import json
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.snapshots.local import write_file
from haplane.snapshots.store import Store, Upload


class UnfinishedUpload:
    """The record of it, beside the snapshots."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / ".upload.json"

    def remember(self, upload: Upload) -> None:
        """It begins."""
        write_file(self._path, json.dumps({"key": upload.key, "upload_id": upload.upload_id}).encode())

    def forget(self) -> None:
        """It was completed, or given up."""
        self._path.unlink(missing_ok=True)

    def abort(self, store: Store) -> None:
        """Give up what an earlier run left; a server that does not listen is asked again by the next run."""
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
