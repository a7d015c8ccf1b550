"""What is looked at before a task's work lands, beside conflicts and what of the user's is in the way.

Adding one: a member of `GateKind` in `shared/review/gates.py`, a function here, a line in `GATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared import workspaces
from shared.config import Config
from shared.errors import LandingRefused
from shared.review import checks, marks
from shared.review.checks import Mode, Verdict
from shared.review.gates import GateKind, item, refusing
from shared.secrets.redaction import Redactor
from shared.secrets.scan import Scanner
from shared.store.models import Capture as CaptureRow
from shared.store.models import Task
from workers.attempts import file_globs, granting
from workers.attempts.place import changed_configuration
from workers.landing import secret_gate
from workers.repository import difference, landing
from workers.repository.capture import Capture
from workers.repository.discovery import Repository
from workers.repository.landing import Preview

Item = dict[str, Any]
MARKERS = (b"\n+<<<<<<< ", b"\n+=======\n", b"\n+>>>>>>> ")
MOST_FINDINGS = 100


@dataclass(frozen=True)
class Candidate:
    """What is about to land, as every gate sees it: `capture` as taken just now, `row` as it is stored (redacted).

    `history` is the tip of the agent's own commits, where they land as they are.
    """

    task: Task
    repository: Repository
    capture: Capture
    row: CaptureRow
    strategy: str
    history: str | None
    target_branch: str | None
    config: Config

    @cached_property
    def seen(self) -> Preview:
        """What the landing would meet, as of the first time anybody asked."""
        return landing.preview(
            self.repository,
            self.capture,
            target_branch=self.target_branch,
            strategy=self.strategy,
            history=self.history,
        )


def _changed_configuration(candidate: Candidate) -> list[Item]:
    """Changed by the agent or by the person: a landing starts none of it, what is done with the branch after may."""
    changed = changed_configuration(candidate.task, candidate.repository)
    return [
        item(GateKind.CHANGED_CONFIGURATION, "", f"{name}: {what}") for name, what in changed[:MOST_FINDINGS]
    ]


def _file_globs(candidate: Candidate) -> list[Item]:
    redact = granting.redactor(candidate.task, candidate.config).redact
    judged = file_globs.judged(candidate.task, candidate.capture.files)
    outside = [redact(file.path) for file in judged if file_globs.FLAG in file.flags]
    why = "Not among the files the policy allows to be changed."
    return [item(GateKind.FILE_GLOBS, path, why) for path in outside[:MOST_FINDINGS]]


def _secrets(candidate: Candidate) -> list[Item]:
    masked = granting.masked_of(candidate.task, candidate.config)
    found = secret_gate.find(Scanner(masked), candidate.capture, candidate.history)
    redact = Redactor(masked).redact
    return [
        {**item(GateKind.SECRETS, redact(one.path), one.told()), "line": one.line or None, "rule": one.rule}
        for one in found
    ]


def _conflict_markers(candidate: Candidate) -> list[Item]:
    """Files in which a conflict was marked and not resolved: all three markers are among their added lines."""
    patch, files = candidate.capture.patch, candidate.capture.files
    if not all(mark in patch for mark in MARKERS):
        return []
    parts = [(file.path, difference.section(patch, files, file.raw_path) or b"") for file in files]
    return [
        item(GateKind.CONFLICT_MARKERS, path, "holds conflict markers")
        for path, part in parts
        if all(mark in part for mark in MARKERS)
    ][:MOST_FINDINGS]


def _mass_deletion(candidate: Candidate) -> list[Item]:
    """An agent that emptied its worktree has rarely meant that."""
    why = "The change deletes more than half of the files: {}."
    return [
        item(GateKind.MASS_DELETION, "", why.format(flag.detail))
        for flag in candidate.capture.flags
        if flag.kind == GateKind.MASS_DELETION
    ]


def _unreviewed(candidate: Candidate) -> list[Item]:
    """Files a person has not viewed in the version that would land, where the workspace requires that."""
    if workspaces.defaults_for(candidate.task.workspace).get("review") != marks.REQUIRED:
        return []
    review = marks.of(candidate.task, candidate.row)
    left = [(file, review.of(file)) for file in candidate.row.files]
    return [
        item(GateKind.UNREVIEWED, file["path"], _left_of(mark)) for file, mark in left if not mark.is_viewed
    ][:MOST_FINDINGS]


def _left_of(mark: marks.Mark) -> str:
    if not mark.hunks_viewed:
        return "not viewed"
    return f"{mark.hunks - mark.hunks_viewed} of {mark.hunks} hunks not viewed"


def _verify(candidate: Candidate) -> list[Item]:
    """Required checks that failed on the merged tree; those without a verdict are run before it lands."""
    wanted = [check for check in checks.of(candidate.task) if check.mode is Mode.REQUIRED]
    if not wanted or candidate.seen.conflicts:
        return []
    found = [(check, checks.result(candidate.task, check, candidate.seen.tree_oid)) for check in wanted]
    return [
        item(GateKind.VERIFY, "", f"The check {check.name} {row.verdict} on the merged tree.")
        for check, row in found
        if row is not None and row.verdict in (Verdict.FAILED, Verdict.TIMED_OUT)
    ]


GATES: Mapping[GateKind, Callable[[Candidate], list[Item]]] = {
    GateKind.CHANGED_CONFIGURATION: _changed_configuration,
    GateKind.FILE_GLOBS: _file_globs,
    GateKind.SECRETS: _secrets,
    GateKind.CONFLICT_MARKERS: _conflict_markers,
    GateKind.MASS_DELETION: _mass_deletion,
    GateKind.UNREVIEWED: _unreviewed,
    GateKind.VERIFY: _verify,
}


def look(candidate: Candidate) -> list[Item]:
    """What the gates object to, in their order."""
    return [found for gate in GATES.values() for found in gate(candidate)]


def pass_through(candidate: Candidate, override: list[str]) -> list[Item]:
    """The objections a person overrides, to be recorded with the landing; raises LandingRefused for the others."""
    found = look(candidate)
    left = refusing(found, override)
    if left:
        raise LandingRefused(_sentence(left), conflicts=[], blocking=left)
    return found


def _sentence(left: list[Item]) -> str:
    first = left[0]
    about = f"{first['path']}: " if first["path"] else ""
    more = f" ({len(left)} objections in all)" if len(left) > 1 else ""
    return f"{about}{first['why']}{more}"
