"""A task that ended with changes, and captures of them, without a worker."""

from __future__ import annotations

from typing import Any

from shared.lifecycle import Status
from shared.review import landings
from shared.review.landings import CaptureRecord
from shared.store.database import transaction
from shared.store.models import Task
from tests.unit.web.conftest import Api

ONE = b"diff --git a/a.txt b/a.txt\nindex 1..2 100644\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+diff --git \xe9\n"
TWO = b"diff --git a/b b/b\nnew file mode 100644\n--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+new\n"


def file(path: str, **more: Any) -> dict[str, Any]:
    empty = {"path_b64": None, "old_path": None, "binary": False, "old_blob": None, "new_blob": None}
    return {"path": path, "status": "modified", "additions": 1, "deletions": 0, **empty, **more}


def ended(api: Api) -> dict[str, Any]:
    task = api.new()
    with transaction():
        Task.update(worktree_path="/w", base_commit="b" * 40, status=Status.READY_FOR_REVIEW).execute()
    return task


def capture(files: list[dict[str, Any]], patch: bytes, tree: str = "t1") -> None:
    record = CaptureRecord("b" * 40, "c" * 40, tree, "stat", files, patch, False, [])
    landings.keep_capture(Task.get(), record)
