"""Keeping captured states reachable in the user's repository once the git directory that holds them goes."""

from __future__ import annotations

from collections.abc import Sequence

from shared.review.points import State
from workers.repository import comparing, merging, references
from workers.repository.discovery import Repository
from workers.repository.shadow import empty_tree
from workers.repository.transfer import has, missing, send
from workers.repository.worktree import Worktree


def pin(
    repository: Repository, worktree: Worktree, *, last: str, heads: Sequence[str], review: State
) -> str | None:
    """Put the commits `heads` of captures, and what is reviewed, under the task's captures ref; returns its name.

    What is not stored any more is left out. None where the recovery ref, which holds `last`, holds all there is.
    Raises GitFailed.
    """
    if set(heads) <= {last} and not review.viewed:
        return None
    own = worktree.capture_git_directory
    gone = missing(own, heads)
    parents = [oid for oid in heads if oid not in gone]
    if tree := comparing.tree_if_stored(own, review):
        parents.append(merging.commit(own, tree, [review.base_oid], "What was reviewed"))
    message = f"Captures of task {worktree.task_id}"
    commit = merging.commit(own, empty_tree(own), parents, message)
    known = (worktree.base_commit,) if has(repository.git_dir, worktree.base_commit) else ()
    send(commit, own, repository.git_dir, known=known)
    name = references.captures_ref(worktree.task_id)
    references.keep(repository.git_dir, name, commit)
    return name
