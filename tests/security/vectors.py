"""Ways a repository or an agent makes git run a program of theirs, and a trap that shows whether one ran."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from workers.repository.worktree import Worktree

# Each runs with $CANARY naming a file, $RUN a script that makes it, and GD the git directory under attack.
VECTORS = {
    "hooks": 'for h in pre-commit post-checkout post-merge post-commit post-index-change reference-transaction pre-merge-commit prepare-commit-msg commit-msg post-rewrite pre-auto-gc post-applypatch applypatch-msg pre-push update push-to-checkout fsmonitor-watchman; do cp $RUN $GD/hooks/$h; done',
    "core.hooksPath": "mkdir -p $GD/evil; for h in post-checkout post-merge reference-transaction post-index-change; do cp $RUN $GD/evil/$h; done; git config --file $GD/config core.hooksPath $GD/evil",
    "core.fsmonitor": "git config --file $GD/config core.fsmonitor $RUN",
    "diff.external": "git config --file $GD/config diff.external $RUN",
    "core.pager": "git config --file $GD/config core.pager $RUN; git config --file $GD/config pager.diff $RUN",
    "core.editor": "git config --file $GD/config core.editor $RUN; git config --file $GD/config sequence.editor $RUN",
    "core.sshCommand": "git config --file $GD/config core.sshCommand $RUN; git config --file $GD/config remote.origin.url ssh://x/y",
    "core.askPass": "git config --file $GD/config core.askPass $RUN; git config --file $GD/config credential.helper \"!$RUN\"",
    "core.gitProxy": "git config --file $GD/config core.gitProxy $RUN; git config --file $GD/config remote.origin.vcs $RUN",
    "gpg.program": "git config --file $GD/config gpg.program $RUN; git config --file $GD/config commit.gpgSign true; git config --file $GD/config merge.verifySignatures true; git config --file $GD/config log.showSignature true",
    "alias": "for a in diff add merge worktree status; do git config --file $GD/config alias.$a \"!$RUN\"; done",
    "textconv": "git config --file $GD/config diff.x.textconv $RUN; git config --file $GD/config diff.x.command $RUN; echo '*.txt diff=x' >> $TREE/.gitattributes; echo '*.txt diff=x' >> $GD/info/attributes",
    "merge driver": "git config --file $GD/config merge.x.driver \"$RUN %A\"; git config --file $GD/config merge.default x; echo '* merge=x' >> $TREE/.gitattributes; echo '* merge=x' >> $GD/info/attributes",
    "include": "printf '[core]\\n fsmonitor = %s\\n hooksPath = %s\\n' $RUN $GD/evil > $GD/inc; mkdir -p $GD/evil; cp $RUN $GD/evil/post-checkout; git config --file $GD/config include.path $GD/inc",
    "config.worktree": "git config --file $GD/config extensions.worktreeConfig true; git config --file $GD/config.worktree core.fsmonitor $RUN; git config --file $GD/config.worktree diff.external $RUN",
    "uploadpack hook": "git config --file $GD/config uploadpack.packObjectsHook $RUN; git config --file $GD/config receive.procReceiveRefs refs",
    "branch options": "git config --file $GD/config branch.main.mergeOptions '--verify-signatures -s evil'; git config --file $GD/config pull.twohead evil; git config --file $GD/config gc.auto 1; git config --file $GD/config trace2.eventTarget $CANARY",
    "rebase and interactive": "git config --file $GD/config interactive.diffFilter $RUN; git config --file $GD/config rebase.instructionFormat x; git config --file $GD/config maintenance.auto true; git config --file $GD/config gc.recentObjectsHook $RUN",
    "filters": "git config --file $GD/config filter.x.clean $RUN; git config --file $GD/config filter.x.smudge $RUN; git config --file $GD/config filter.x.process $RUN; echo '* filter=x' >> $TREE/.gitattributes; echo '* filter=x' >> $GD/info/attributes",
    "LFS": "git config --file $GD/config filter.lfs.process $RUN; git config --file $GD/config filter.lfs.smudge $RUN; git config --file $GD/config filter.lfs.clean $RUN; git config --file $GD/config filter.lfs.required true; echo '*.bin filter=lfs diff=lfs merge=lfs -text' >> $TREE/.gitattributes; echo pointer > $TREE/big.bin",
    "submodules": "printf '[submodule \"m\"]\\n path = m\\n url = ext::%s\\n update = !%s\\n' $RUN $RUN > $GD/planted; git config --file $GD/config submodule.m.url \"ext::$RUN\"; git config --file $GD/config submodule.m.update \"!$RUN\"; git config --file $GD/config submodule.recurse true; git config --file $GD/config protocol.ext.allow always",
    "attributes and mailmap": "echo '* diff=y ident' > $GD/planted-attributes; git config --file $GD/config core.attributesFile $GD/planted-attributes; git config --file $GD/config diff.y.textconv $RUN; echo 'A <a@b> <c@d>' > $TREE/.mailmap; git config --file $GD/config mailmap.file $GD/planted-attributes",
    "remote helper": "git config --file $GD/config remote.origin.promisor true; git config --file $GD/config remote.origin.url \"ext::$RUN\"; git config --file $GD/config protocol.allow always; git config --file $GD/config core.alternateRefsCommand $RUN",
    "sequencer and notes": "git config --file $GD/config rebase.backend apply; git config --file $GD/config sequence.editor $RUN; git config --file $GD/config notes.rewriteRef refs/notes/x; git config --file $GD/config trailer.x.command $RUN; git config --file $GD/config format.pretty '%(trailers)'",
}  # fmt: skip
EVERYTHING = "; ".join(VECTORS.values())


@dataclass(frozen=True)
class Trap:
    """A program that leaves a canary when it is started, and vectors that would start it.

    A vector is carried out once, in a folder of the trap's own, and then copied to where it is sprung: that is fast.
    """

    script: Path
    canary: Path

    @classmethod
    def at(cls, folder: Path) -> Trap:
        found = cls(folder / "evil.sh", folder / "canary")
        found.script.write_text(f"#!/bin/sh\ntouch {found.canary}\ncat\n")
        found.script.chmod(0o755)
        return found

    def spring(self, vector: str, git_dir: Path, tree: Path) -> None:
        """Plant a vector in a git directory and its tree; planting starts nothing."""
        self.spring_tree(vector, tree)
        self.spring_git(vector, git_dir)

    def spring_tree(self, vector: str, tree: Path) -> None:
        """The part of it that a commit may hold: attributes and the like."""
        shutil.copytree(self._planted(vector) / "tree", tree, dirs_exist_ok=True)

    def spring_git(self, vector: str, git_dir: Path) -> None:
        """The part of it that is in the git directory."""
        planted = self._planted(vector) / "git"
        for name in ("hooks", "info"):
            shutil.copytree(planted / name, git_dir / name, dirs_exist_ok=True)
        if (planted / "config.worktree").exists():
            shutil.copy2(planted / "config.worktree", git_dir)
        with (git_dir / "config").open("a") as config:
            config.write((planted / "config").read_text())
        assert not self.canary.exists()

    def spring_as_agent(self, vector: str, worktree: Worktree) -> None:
        """In its own git directory, in a nested repository, and in a `.git` folder in place of the file."""
        tree = worktree.path
        self.spring(vector, worktree.agent_git_directory, tree)
        self.spring_git(vector, worktree.admin_directory)
        (tree / ".git").unlink()
        for place in (tree / "sub/nested", tree):
            subprocess.run(["git", "init", "-q", str(place)], env=PLAIN, check=True)
            self.spring(vector, place / ".git", place)

    def _planted(self, vector: str) -> Path:
        place = self.script.parent / f"vector-{zlib.crc32(vector.encode())}"
        if not place.exists():
            for name in ("git/hooks", "git/info", "tree"):
                (place / name).mkdir(parents=True)
            (place / "git/config").touch()
            names = {"RUN": self.script, "CANARY": self.canary, "GD": place / "git", "TREE": place / "tree"}
            env = {"PATH": os.environ["PATH"], **{name: str(path) for name, path in names.items()}}
            subprocess.run(["bash", "-euc", vector], env=env, cwd=place, check=True)
        return place


PLAIN = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
