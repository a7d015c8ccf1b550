"""The shapes of requests: what is checked before any value is looked at."""

from __future__ import annotations

from web.api.schemas.access import ByToken, NewToken
from web.api.schemas.audit import AuditExport, AuditList
from web.api.schemas.fields import (
    PROMPT_BYTES,
    ById,
    NothingNeeded,
    Page,
    Reference,
)
from web.api.schemas.inventories import (
    PLACE,
    SESSIONS_AT_ONCE,
    BySession,
    CostList,
    SessionList,
    TranscriptPart,
)
from web.api.schemas.places import Browse, ByName, ByWorkspace, Defaults, Grant, NewSecret, Register, Trust
from web.api.schemas.policy import ToolRule
from web.api.schemas.review import (
    ByComment,
    Cleanup,
    DiffQuery,
    Merge,
    NewComment,
    Push,
    Rebase,
    Undo,
    Verify,
    Viewed,
)
from web.api.schemas.search import Search
from web.api.schemas.steering import (
    ApprovalList,
    Approve,
    ByReply,
    ByRequest,
    ByRule,
    Decision,
    Mode,
    Reply,
    Start,
)
from web.api.schemas.tasks import (
    Archive,
    EventPage,
    NewGroup,
    NewTask,
    OneTask,
    Pick,
    TaskChange,
    TaskList,
    count,
)

__all__ = [
    "PLACE",
    "PROMPT_BYTES",
    "SESSIONS_AT_ONCE",
    "ApprovalList",
    "Approve",
    "Archive",
    "AuditExport",
    "AuditList",
    "Browse",
    "ByComment",
    "ById",
    "ByName",
    "ByReply",
    "ByRequest",
    "ByRule",
    "BySession",
    "ByToken",
    "ByWorkspace",
    "Cleanup",
    "CostList",
    "Decision",
    "Defaults",
    "DiffQuery",
    "EventPage",
    "Grant",
    "Merge",
    "Mode",
    "NewComment",
    "NewGroup",
    "NewSecret",
    "NewTask",
    "NewToken",
    "NothingNeeded",
    "OneTask",
    "Page",
    "Pick",
    "Push",
    "Rebase",
    "Reference",
    "Register",
    "Reply",
    "Search",
    "SessionList",
    "Start",
    "TaskChange",
    "TaskList",
    "ToolRule",
    "TranscriptPart",
    "Trust",
    "Undo",
    "Verify",
    "Viewed",
    "count",
]
