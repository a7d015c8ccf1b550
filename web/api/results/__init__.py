"""The shapes of answers, for the OpenAPI document; the answers themselves are written by `web.views`."""

from __future__ import annotations

from web.api.results.access import Link, NewToken, Token
from web.api.results.approvals import Approval, Rule
from web.api.results.audit import AuditEntry, AuditVerdict
from web.api.results.inventories import (
    AgentFile,
    Costs,
    Folders,
    Health,
    Presets,
    Runner,
    Secret,
    Sessions,
    Transcript,
    Workspace,
)
from web.api.results.result import Listed, Problem
from web.api.results.review import Capture, Comment, Diff, Landed, Lines, Looked, Pushed, Review, Turn
from web.api.results.search import SearchResult
from web.api.results.tasks import (
    Attach,
    DeletedTask,
    Deleting,
    Event,
    Group,
    GroupDiff,
    GroupFiles,
    Logs,
    Reply,
    Task,
)

__all__ = [
    "AgentFile",
    "Approval",
    "Attach",
    "AuditEntry",
    "AuditVerdict",
    "Capture",
    "Comment",
    "Costs",
    "DeletedTask",
    "Deleting",
    "Diff",
    "Event",
    "Folders",
    "Group",
    "GroupDiff",
    "GroupFiles",
    "Health",
    "Landed",
    "Lines",
    "Link",
    "Listed",
    "Logs",
    "Looked",
    "NewToken",
    "Presets",
    "Problem",
    "Pushed",
    "Reply",
    "Review",
    "Rule",
    "Runner",
    "SearchResult",
    "Secret",
    "Sessions",
    "Task",
    "Token",
    "Transcript",
    "Turn",
    "Workspace",
]
