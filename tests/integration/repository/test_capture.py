"""A capture is exactly what the agent left, whatever it did to files, names, modes or git."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.repository import capture, difference, snapshot

ROOT = Path(__file__).parents[3]
ODD_NAMES = [
    b"a\nb",
    b"\xff.bin",
    b"-rf",
    b":(exclude)x",
    b" a ",
    "é.txt".encode(),
    b'"q"',
    b"tab\tx",
    b"b\\c",
    b"x" * 255,
    b"*",
    b"#c",
]


def applied(desk, taken) -> str:
    """The tree that `git apply` of the patch gives on the base."""
    folder = desk.root / "applied"
    desk.sh(f"rm -rf ../applied; git worktree add -q --detach ../applied {taken.base_oid}")
    done = subprocess.run(
        ["git", "apply", "--index", "--whitespace=nowarn", "-"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
        input=taken.patch,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    tree = desk.sh("cd ../applied; git write-tree")
    desk.sh("git worktree remove --force ../applied")
    return tree


def by_path(taken) -> dict[str, difference.ChangedFile]:
    return {file.path: file for file in taken.files}


def test_every_kind_of_change_is_captured_and_the_patch_gives_the_same_tree(desk) -> None:
    taken = desk.change(
        "echo more >> a.txt; git mv -f d.txt renamed.txt 2>/dev/null || mv d.txt renamed.txt; rm -r gone; chmod +x sub/b.txt;"
        "ln -s a.txt link; rm sub/deep/c.txt; ln -s /etc/passwd sub/deep/c.txt; head -c 5000 /dev/urandom > bin;"
        "printf 'x\\r\\ny\\r\\n' > crlf.txt; printf 'no newline' > nonl; mkdir empty; mkfifo pipe; mkdir new; echo n > new/n;"
        "printf '\\351\\n' > latin1.txt"
    )
    files = by_path(taken)
    assert {path: file.status for path, file in files.items()} == {
        "a.txt": "modified", "bin": "added", "crlf.txt": "added", "gone/g.txt": "deleted", "latin1.txt": "added",
        "link": "added", "new/n": "added", "nonl": "added", "renamed.txt": "renamed", "sub/b.txt": "modified",
        "sub/deep/c.txt": "type-changed",
    }  # fmt: skip
    assert (files["a.txt"].additions, files["a.txt"].deletions) == (1, 0)
    assert files["renamed.txt"].old_path == "d.txt"
    assert files["bin"].binary
    assert (files["sub/b.txt"].old_mode, files["sub/b.txt"].new_mode) == ("100644", "100755")
    assert files["sub/deep/c.txt"].flags == ("link-outside",)
    assert files["link"].flags == ()
    assert (
        desk.sh(
            f"git --git-dir={taken.git_directory} cat-file blob {files['crlf.txt'].new_blob} | od -An -c | tr -d ' \\n'"
        )
        == "x\\r\\ny\\r\\n"
    )
    assert applied(desk, taken) == taken.tree_oid
    assert "a.txt" in taken.stat
    assert "11 files changed" in taken.stat
    for file in taken.files:
        part = capture.patch_of(taken, file.raw_path)
        assert part is not None
        assert part.startswith(b"diff --git ")
    assert b"".join(capture.patch_of(taken, file.raw_path) or b"" for file in taken.files) == taken.patch


def test_odd_names_are_captured_shown_and_applied(desk) -> None:
    made = desk.create()
    for name in ODD_NAMES:
        (Path(os.fsdecode(os.path.join(os.fsencode(made.path), name)))).write_text("x\n")
    taken = capture.take(made)
    assert {file.raw_path for file in taken.files} == set(ODD_NAMES)
    assert by_path(taken)["\ufffd.bin"].path_b64 == "/y5iaW4="
    assert applied(desk, taken) == taken.tree_oid
    assert all(capture.patch_of(taken, name) for name in ODD_NAMES)


def test_the_same_tree_is_the_same_commit(desk) -> None:
    first = desk.change("echo x > x")
    second = desk.change("rm x; echo x > x")
    assert (second.head_oid, second.tree_oid, second.patch) == (first.head_oid, first.tree_oid, first.patch)
    assert desk.sh(f"git --git-dir={first.git_directory} rev-parse {first.head_oid}^") == first.base_oid


@pytest.mark.parametrize(
    "script",
    [
        "git add -A; git commit -qm one; echo x >> a.txt; git commit -qam two",
        "git add -A; git commit -qm one; git reset -q --hard HEAD~1; echo x > w; echo x >> a.txt",
        "git checkout -q --detach; git add -A; git commit -qm one; echo x >> a.txt",
        "git add -A; git stash -q; git stash pop -q; echo x >> a.txt",
        "rm .git; echo x >> a.txt",
        "rm .git; git init -q; git add -A; git commit -qm mine; echo x >> a.txt",
        "git update-index --assume-unchanged a.txt; echo x >> a.txt",
        "git rm -rq --cached .; echo x >> a.txt",
    ],
)
def test_what_the_agent_does_with_git_does_not_matter(desk, script) -> None:
    taken = desk.change(f"echo x > w; {script}")
    assert {path: file.status for path, file in by_path(taken).items()} == {"w": "added", "a.txt": "modified"}


def test_without_its_git_file_a_worktree_is_never_taken_for_a_parent_repository(desk) -> None:
    desk.worktrees.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(desk.worktrees)], env={"PATH": os.environ["PATH"]}, check=True)
    taken = desk.change("rm .git; echo x > w")
    assert [file.path for file in taken.files] == ["w"]


def test_folders_links_and_files_may_trade_places(desk) -> None:
    taken = desk.change(
        "rm -r sub; ln -s /etc sub; rm a.txt; mkdir a.txt; echo x > a.txt/x; rm -r gone; echo f > gone"
    )
    assert {path: file.status for path, file in by_path(taken).items()} == {
        "a.txt": "deleted", "a.txt/x": "added", "gone": "added", "gone/g.txt": "deleted", "sub": "added",
        "sub/b.txt": "deleted", "sub/deep/c.txt": "deleted",
    }  # fmt: skip
    assert applied(desk, taken) == taken.tree_oid
    back = desk.change(
        "rm sub gone; git checkout -q -f HEAD -- sub gone; rm -r a.txt; git checkout -q HEAD -- a.txt"
    )
    assert back.files == ()


def test_what_cannot_be_taken_is_flagged_and_the_rest_is(desk) -> None:
    taken = desk.change(
        "truncate -s 300M big; git init -q inner; echo i > inner/i; echo ok > ok; echo x > git~1;"
        "mkdir .claude; echo '{}' > .claude/settings.json; echo x > .envrc"
    )
    assert sorted(by_path(taken)) == [".claude/settings.json", ".envrc", "ok"]
    assert {(flag.kind, flag.path) for flag in taken.flags} == {
        ("too-large", "big"),
        ("embedded-repository", "inner/"),
        ("unsafe-name", "git~1"),
    }
    assert by_path(taken)[".envrc"].flags == ("auto-executed",)
    assert by_path(taken)["ok"].flags == ()


def test_an_emptied_and_a_missing_worktree_are_told_apart(desk) -> None:
    desk.sh("for n in $(seq 20); do echo $n > f$n; done; git add -A; git commit -qm many")
    taken = desk.change("rm -r [a-z]*")
    assert [flag.kind for flag in taken.flags] == ["mass-deletion"]
    assert all(file.status == "deleted" for file in taken.files)
    made = desk.create()
    subprocess.run(["rm", "-r", made.path], check=True)
    gone = capture.take(made)
    assert [flag.kind for flag in gone.flags] == ["worktree-missing"]
    assert gone.files == ()


def test_ignored_files_stay_out_by_all_three_ignore_files(desk) -> None:
    desk.sh(
        "echo local >> .git/info/exclude; echo '*.mine' > ../ignore; git config core.excludesFile $PWD/../ignore"
    )
    taken = desk.change("echo s > .env; echo l > x.log; echo x > local; echo x > x.mine; echo x > kept")
    assert [file.path for file in taken.files] == ["kept"]


def test_a_change_that_keeps_size_and_time_is_seen(desk) -> None:
    taken = desk.change(
        "touch -r a.txt ../stamp; printf 'ONE\\ntwo\\nthree\\n' > a.txt; touch -r ../stamp a.txt"
    )
    assert [file.path for file in taken.files] == ["a.txt"]


def test_attributes_from_the_tree_neither_hide_nor_recode(desk) -> None:
    taken = desk.change(
        "printf '* -diff\\n*.u16 working-tree-encoding=UTF-16\\n*.id ident\\n*.txt eol=crlf text\\n' > .gitattributes;"
        "echo plain > x.u16; echo '$Id$' > x.id; printf 'a\\r\\nb\\n' > x.txt; printf 'one\\r\\n' > a.txt"
    )
    assert not any(file.binary for file in taken.files)
    folder = desk.create().path
    for name in ("x.u16", "x.id", "x.txt", "a.txt"):
        blob = by_path(taken)[name].new_blob
        stored = subprocess.run(
            ["git", "--git-dir", taken.git_directory, "cat-file", "blob", blob],
            capture_output=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
        assert stored.stdout == (folder / name).read_bytes()


def test_a_patch_is_cut_between_files_and_one_file_is_still_served(desk, monkeypatch) -> None:
    monkeypatch.setattr(difference, "MAX_PATCH_BYTES", 20_000)
    taken = desk.change("seq 1000 > one; seq 2000 > three; seq 9000 > two")
    assert taken.truncated
    assert len(taken.patch) <= 20_000
    assert taken.patch.endswith(b"+1000\n+") is False
    assert taken.patch.count(b"diff --git ") == 2
    whole = capture.patch_of(taken, "three")
    assert whole is not None
    assert b"+2000\n" in whole
    assert capture.patch_of(taken, "unknown") is None


def test_a_pipe_where_git_reads_a_file_does_not_hang_a_capture(desk, monkeypatch) -> None:
    monkeypatch.setattr(snapshot, "SCAN_SECONDS", 1)
    taken = desk.change("mkdir x; mkfifo x/.gitignore; echo y > x/y")
    assert [file.path for file in taken.files] == ["x/y"]


def test_many_untracked_files_take_a_handful_of_processes(desk, monkeypatch) -> None:
    made = desk.create()
    (made.path / "many").mkdir()
    for number in range(1000):
        (made.path / f"many/{number}").write_text(f"{number}\n")
    count = 0
    real = subprocess.Popen

    def counted(*words, **more):
        nonlocal count
        count += 1
        return real(*words, **more)

    monkeypatch.setattr("workers.repository.git.subprocess.Popen", counted)
    taken = capture.take(made)
    assert len(taken.files) == 1000
    assert "and 500 more" in taken.stat
    assert count <= 8


UNREADABLE = """
import os, sys
from pathlib import Path
from workers.repository import capture, removal, worktrees
from workers.repository.inspect import inspect
root = Path(sys.argv[1])
os.environ["HOME"] = str(root)
repository = inspect(root / "repo")
made = worktrees.create(repository, task_id="task-1", title="t", base_ref=None, worktrees=root / "w", repositories=root / "r")
(made.path / "secret").write_text("s"); (made.path / "secret").chmod(0)
(made.path / "a.txt").write_text("changed"); (made.path / "a.txt").chmod(0)
(made.path / "shut").mkdir(); (made.path / "shut/in").write_text("i"); (made.path / "shut").chmod(0)
(made.path / "fine").write_text("f")
live = capture.take(made, refresh=True)
print(sorted(file.path for file in live.files), sorted({(flag.kind, flag.path) for flag in live.flags}))
(made.path / "shut").chmod(0); made.path.chmod(0)
done = capture.take(made)
print(sorted(file.path for file in done.files), sorted({(flag.kind, flag.path) for flag in done.flags}))
(made.path / "shut/deep").mkdir(); (made.path / "shut/deep").chmod(0); (made.path / "shut").chmod(0)
removal.remove(made, keep=done.head_oid)
print(os.listdir(root / "w"))
"""


def test_an_ordinary_users_unreadable_files_are_flagged_live_taken_at_the_end_and_removed(
    tmp_path_factory,
) -> None:
    root = Path("/tmp") / f"openruntime-test-{os.getpid()}"
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user; as an ordinary user the whole file runs so")
    root.mkdir()
    try:
        root.chmod(0o777)
        user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        env = {"PATH": os.environ["PATH"], "HOME": str(root), "PYTHONPATH": str(ROOT)}
        script = "git init -q -b main repo; cd repo; echo a > a.txt; git add -A; git -c user.name=u -c user.email=e commit -qm a"
        subprocess.run([*user, "sh", "-ec", script], cwd=root, env=env, check=True)
        run = [*user, sys.executable, "-P", "-c", UNREADABLE, str(root)]
        printed = subprocess.run(
            run, cwd=root, env=env, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    finally:
        subprocess.run(["rm", "-rf", root], check=True)
    assert printed == [
        "['fine'] [('unreadable', 'a.txt'), ('unreadable', 'secret'), ('unreadable', 'shut/')]",
        "['a.txt', 'fine', 'secret', 'shut/in'] []",
        "[]",
    ]
