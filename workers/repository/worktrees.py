"""Creating a task's worktree: a linked worktree of the user's repository with git directories of our own."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from shared.errors import BadRequest, Conflict, GitFailed, NotFound, NotReady
from workers.repository import agent_directory, directory, references, registration
from workers.repository.discovery import Repository, resolve_commit
from workers.repository.git import git, version
from workers.repository.locks import held
from workers.repository.shadow import COPIED, empty_tree, exclude_rules
from workers.repository.worktree import TASK_ID, Worktree, copy_over, load, save, slug

CHECKOUT_SECONDS = 600
MAX_SAME_NAME = 100
PARALLEL_CHECKOUT_FILES = 1000  # below, several checkout processes are slower than one (measured)
FIXED_IDENTITY = {
    "GIT_AUTHOR_NAME": "openRuntime",
    "GIT_AUTHOR_EMAIL": "openruntime@localhost",
    "GIT_COMMITTER_NAME": "openRuntime",
    "GIT_COMMITTER_EMAIL": "openruntime@localhost",
}


def create(
    repository: Repository,
    *,
    task_id: str,
    title: str,
    base_ref: str | None,
    worktrees: Path,
    repositories: Path,
    content: str | None = None,
) -> Worktree:
    """The worktree of a task, made if it is not there: at `worktrees/<task id>`, on a branch of its own.

    `base_ref` is what the task starts from (None: HEAD of the workspace). `content` is a commit whose files a
    re-created worktree gets instead of the base's, such as a recovery commit; the base stays what it was.
    Repeatable after success and after a crash at any step. Raises BadRequest for an unusable base, NotReady
    with one sentence when the repository cannot be used.
    """
    version()
    if not TASK_ID.fullmatch(task_id):
        raise BadRequest(f"{task_id!r} is not a task id.")
    with held(repositories, task_id):
        known = load(repositories, task_id)
        fresh = known is None
        if known is None:
            worktree = _planned(repository, task_id, title, base_ref, worktrees, repositories)
            ready = False
        else:
            worktree, ready = known
            if worktree.repository_directory != repository.common_dir:
                worktree = _follow(repository, worktree)
        if worktree.path.is_symlink():
            worktree.path.unlink()
        aside = registration.bring_back(worktree.path)
        if ready and worktree.is_there:
            registration.repair(repository, worktree)
            worktree.execution_path.mkdir(parents=True, exist_ok=True)
            return worktree
        if not ready and not aside:
            registration.discard_unfinished(repository, worktree)
        if ready and content is None:
            content = resolve_commit(repository.git_dir, references.recovery_ref(task_id))
        _build(repository, worktree, content or worktree.base_commit, fresh=fresh)
        worktree = replace(worktree, admin_directory=registration.admin_directory(worktree.path))
        save(worktree, ready=True)
        return worktree


def find(repositories: Path, task_id: str) -> Worktree | None:
    """The worktree of a task as it was last created, or None."""
    known = load(repositories, task_id)
    return known[0] if known else None


def restore(
    repository: Repository, *, task_id: str, title: str, worktrees: Path, repositories: Path
) -> Worktree:
    """Make a removed worktree again from its recovery ref, with the base it had.

    Raises NotFound when no recovery ref is left.
    """
    commit = resolve_commit(repository.git_dir, references.recovery_ref(task_id))
    base = resolve_commit(repository.git_dir, f"{references.recovery_ref(task_id)}^")
    if commit is None or base is None:
        raise NotFound("No recovery ref of this task is left.")
    return create(
        repository,
        task_id=task_id,
        title=title,
        base_ref=base,
        worktrees=worktrees,
        repositories=repositories,
        content=commit,
    )


def _follow(repository: Repository, worktree: Worktree) -> Worktree:
    """The worktree after the user moved the repository to another folder."""
    if worktree.repository_directory.exists():
        raise Conflict(f"This task belongs to another repository: {worktree.repository_directory}.")
    moved = replace(
        worktree,
        repository_directory=repository.common_dir,
        admin_directory=repository.common_dir / "worktrees" / worktree.admin_directory.name,
        objects_directories=directory.object_directories(repository.objects_directory),
    )
    for place in (moved.capture_git_directory, moved.agent_git_directory):
        directory.borrow(place, moved.objects_directories)
    save(moved, ready=True)
    return moved


def _planned(
    repository: Repository,
    task_id: str,
    title: str,
    base_ref: str | None,
    worktrees: Path,
    repositories: Path,
) -> Worktree:
    """A worktree on a new branch of its own, which is made; remembered before it is."""
    unborn = repository.head_oid is None and base_ref in (None, "", "HEAD", repository.branch)
    if unborn:
        base = _empty_commit(repository)
    elif repository.head_oid is not None and base_ref in (None, "", "HEAD"):
        base = repository.head_oid
    else:
        base = references.resolve(repository, base_ref or "HEAD")
    _refuse_missing_objects(repository, base)
    branch = f"openruntime/{task_id[:8]}-{slug(title)}"
    in_the_way, taken, commit = references.commits(
        repository.git_dir, ("refs/heads/openruntime", f"refs/heads/{branch}", base)
    )
    if in_the_way is not None:
        raise NotReady("A branch named 'openruntime' is in the way of the task's branch: rename it.")
    path = Path(os.path.realpath(worktrees)) / task_id
    home = repositories.absolute() / task_id
    planned = Worktree(
        task_id=task_id,
        path=path,
        execution_path=path / repository.prefix if repository.prefix else path,
        branch=branch,
        base_commit=base,
        base_seconds=committed_seconds(commit or b""),
        unborn=unborn,
        object_format=repository.object_format,
        repository_directory=repository.common_dir,
        admin_directory=repository.common_dir / "worktrees" / task_id,
        agent_git_directory=home / "agent.git",
        capture_git_directory=home / "capture.git",
        objects_directories=directory.object_directories(repository.objects_directory),
    )
    return _with_branch(repository, planned, first=1 if taken is None else 2)


def _build(repository: Repository, worktree: Worktree, content: str, *, fresh: bool) -> None:
    """Everything around the branch; `fresh` when that and the base's pin were made just now."""
    if not fresh:
        references.update(repository.git_dir, references.base_ref(worktree.task_id), worktree.base_commit)
    _write_capture_directory(repository, worktree)
    registration.register(repository, worktree, has_branch=fresh)
    _check_out(worktree, content)
    index = worktree.capture_git_directory / "index"
    shutil.copy2(index, registration.admin_directory(worktree.path) / "index")
    if not worktree.agent_git_directory.is_dir():
        agent_directory.build(repository, worktree)
    copy_over(index, worktree.agent_git_directory / "index")
    worktree.execution_path.mkdir(parents=True, exist_ok=True)


def _write_capture_directory(repository: Repository, worktree: Worktree) -> None:
    own = repository.settings
    directory.write(
        worktree.capture_git_directory,
        object_format=worktree.object_format,
        alternates=worktree.objects_directories,
        settings={**{key: own[key] for key in COPIED if key in own}, **worktree.settings},
        exclude=exclude_rules(repository, own),
    )
    shallow = repository.common_dir / "shallow"
    if shallow.is_file():
        shutil.copy(shallow, worktree.capture_git_directory / "shallow")


def _check_out(worktree: Worktree, commit: str) -> None:
    """Fill the folder and prime the capture's index in one go; no filter of the user's can run."""
    index = worktree.capture_git_directory / "index"
    index.unlink(missing_ok=True)
    index.with_name("index.lock").unlink(missing_ok=True)
    config = {
        "checkout.workers": str(min(os.cpu_count() or 1, 4)),
        "checkout.thresholdForParallelism": str(PARALLEL_CHECKOUT_FILES),
    }
    git(
        "read-tree",
        "-u",
        "--reset",
        commit,
        git_dir=worktree.capture_git_directory,
        work_tree=worktree.path,
        index=index,
        config=config,
        timeout_seconds=CHECKOUT_SECONDS,
    )


def _empty_commit(repository: Repository) -> str:
    """A parentless commit of nothing: what a repository without a commit starts from. Always the same one."""
    tree = empty_tree(repository.git_dir)
    dates = {"GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
    words = ("commit-tree", tree, "-m", "An empty start")
    return git(*words, git_dir=repository.git_dir, env={**FIXED_IDENTITY, **dates}).text


def committed_seconds(commit: bytes) -> int:
    """When a commit as git stores it was made; 0 where it does not say."""
    for line in commit.split(b"\n\n", 1)[0].split(b"\n"):
        if line.startswith(b"committer "):
            seconds = line.rsplit(b" ", 2)[1]
            return int(seconds) if seconds.isdigit() else 0
    return 0


def _with_branch(repository: Repository, worktree: Worktree, first: int) -> Worktree:
    """The worktree on the new branch, numbered from `first` on when that name is taken."""
    pin = references.base_ref(worktree.task_id)
    for number in range(first, MAX_SAME_NAME):
        named = replace(worktree, branch=worktree.branch if number == 1 else f"{worktree.branch}-{number}")
        ref = f"refs/heads/{named.branch}"
        if number > 1 and resolve_commit(repository.git_dir, ref) is not None:
            continue
        save(named, ready=False)
        try:
            references.create(repository.git_dir, ref, pin, named.base_commit)
            return named
        except GitFailed:
            if resolve_commit(repository.git_dir, ref) is None:
                raise
    raise NotReady(f"Too many branches are named like {worktree.branch!r}: delete some.")


def _refuse_missing_objects(repository: Repository, commit: str) -> None:
    own = repository.settings
    if not any(key == "extensions.partialclone" or key.endswith(".promisor") for key in own):
        return
    words = ("rev-list", "--objects", "--missing=print", "-1", commit)
    try:
        listed = git(*words, git_dir=repository.git_dir, timeout_seconds=CHECKOUT_SECONDS).stdout
    except GitFailed as failure:
        raise NotReady(
            "This partial clone lacks the files of the base commit: fetch them first."
        ) from failure
    if any(line.startswith(b"?") for line in listed.split(b"\n")):
        raise NotReady(
            "This partial clone lacks the files of the base commit: check it out once, then start."
        )
