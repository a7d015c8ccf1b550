"""What is known of one task's worktree, and the file that remembers it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path

SLUG_CHARACTERS = 40
STATE_FILE = "worktree.json"
TASK_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{3,63}")


@dataclass(frozen=True)
class Worktree:
    """A linked git worktree and the git directories of ours that belong to it. All paths are absolute.

    `execution_path` is the folder the agent starts in; `admin_directory` the user's `.git/worktrees/<name>`, over
    which a sandbox mounts `agent_git_directory`; `objects_directories` what both borrow objects from;
    `unborn` a base commit of ours with nothing in it, because the repository had no commit; `in_place`: it is no
    worktree but the person's own folder, of which nothing is ever removed.
    """

    task_id: str
    path: Path
    execution_path: Path
    branch: str
    base_commit: str
    base_seconds: int
    unborn: bool
    object_format: str
    repository_directory: Path
    admin_directory: Path
    agent_git_directory: Path
    capture_git_directory: Path
    objects_directories: tuple[Path, ...]
    in_place: bool = False

    @property
    def home(self) -> Path:
        """The folder of all our git directories for this task."""
        return self.capture_git_directory.parent

    @property
    def repositories(self) -> Path:
        return self.home.parent

    @property
    def is_there(self) -> bool:
        """Whether the folder is; a link that somebody put in its place leads to files that are no work of the task's."""
        return self.path.is_dir() and not self.path.is_symlink()

    @property
    def settings(self) -> dict[str, str]:
        """What our git directories say of the disk they are on, whatever disk the repository is on."""
        return {"core.ignorecase": str((self.home / STATE_FILE.upper()).exists()).lower()}

    def to_json(self) -> str:
        """As text that `from_json` reads back; paths that are not UTF-8 survive."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Worktree:
        values = json.loads(text)
        for field in fields(cls):
            if field.type == "Path":
                values[field.name] = Path(values[field.name])
        values["objects_directories"] = tuple(Path(place) for place in values["objects_directories"])
        return cls(**values)


def slug(title: str) -> str:
    """A title as a few lower-case ASCII words for a branch name."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return words[:SLUG_CHARACTERS].strip("-") or "task"


def save(worktree: Worktree, *, ready: bool) -> None:
    """Remember `worktree`; `ready` once everything it names exists."""
    text = json.dumps({"ready": ready, "worktree": json.loads(worktree.to_json())})
    replace_file(worktree.home / STATE_FILE, text.encode("utf-8", "surrogateescape"))


def load(repositories: Path, task_id: str) -> tuple[Worktree, bool] | None:
    """The remembered worktree of a task and whether its creation was finished."""
    try:
        raw = json.loads((repositories / task_id / STATE_FILE).read_bytes())
        return Worktree.from_json(json.dumps(raw["worktree"])), bool(raw["ready"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it holds the old or the new content, never a part.

    An agent may write the folder: nothing it put there is written through.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    with draft.open("xb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(draft, path)


def copy_over(source: Path, target: Path) -> None:
    """Copy a file of ours with its times to where an agent may have put a link in its place."""
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)
