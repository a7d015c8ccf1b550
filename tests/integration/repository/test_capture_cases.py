"""Captures of what only a hostile or unlucky agent leaves: odd names and files, repositories inside, adventures with git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.repository.conftest import describe, shell
from tests.integration.repository.desk_landing import land
from tests.integration.repository.test_capture import applied, by_path
from workers.repository import capture, history


def statuses(taken) -> dict[str, str]:
    return {path: file.status for path, file in by_path(taken).items()}


def flags(taken) -> set[tuple[str, str | None]]:
    return {(flag.kind, flag.path) for flag in taken.flags}


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its kind, mode and content."""
    return {
        os.path.join(place, name): describe(os.path.join(place, name))
        for place, _, names in os.walk(folder)
        for name in names
    }


@pytest.mark.parametrize("refresh", [True, False])
def test_a_pipe_or_a_socket_in_place_of_a_file_is_its_deletion(desk, refresh) -> None:
    made = desk.create()
    shell(
        made.path,
        "rm -r a.txt sub/b.txt gone; mkfifo a.txt gone; echo o > o;"
        " python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sub/b.txt\")'",
    )
    taken = capture.take(made, refresh=refresh)
    assert statuses(taken) == {
        "a.txt": "deleted", "gone/g.txt": "deleted", "sub/b.txt": "deleted", "o": "added",
    }  # fmt: skip
    assert applied(desk, taken) == taken.tree_oid


@pytest.mark.parametrize("ignorecase", ["false", "true"])
def test_names_that_differ_by_case_or_by_accent_only_are_files_of_their_own(desk, ignorecase) -> None:
    """A repository that came from a disk without case says so in its configuration; ours is not on that disk."""
    desk.sh(f"git config core.ignorecase {ignorecase}; git config core.precomposeunicode true")
    taken = desk.change(
        "mv a.txt A.txt; echo 1 > D.TXT; echo 2 > $'e\\u0301'; echo 3 > $'\\u00e9'; mkdir SUB; echo 4 > SUB/b.txt;"
        " mkdir .GIT; echo 5 > .GIT/config; mkdir -p GIT~1; echo 6 > GIT~1/x"
    )
    assert statuses(taken) == {
        "A.txt": "renamed", "D.TXT": "added", "e\u0301": "added", "\u00e9": "added", "SUB/b.txt": "added",
    }  # fmt: skip
    assert flags(taken) == {("unsafe-name", ".GIT/config"), ("unsafe-name", "GIT~1/x")}
    desk.sh("git config core.ignorecase false")
    land(desk, taken)
    assert desk.sh("cat D.TXT $'e\\u0301' $'\\u00e9' SUB/b.txt; git status --porcelain") == "1\n2\n3\n4"


def test_a_path_as_long_as_the_system_lets_it_be_is_captured_and_lands(desk) -> None:
    deep = "/".join(["d" * 200] * 18)
    taken = desk.change(f"mkdir -p {deep}; echo x > {deep}/f")
    assert [file.path for file in taken.files] == [f"{deep}/f"]
    land(desk, taken)
    assert (desk.folder / deep / "f").read_text() == "x\n"


def test_repositories_inside_lose_no_file_in_silence(desk) -> None:
    taken = desk.change(
        "git init -q sub; echo n > sub/new; echo more >> sub/b.txt; rm -r gone; git init -q gone; echo n > gone/n;"
        " mkdir -p x/y; git init -q x/y/z; echo i > x/y/z/inner; echo o > x/y/o; git init -q --bare bare;"
        " git init -q ../lib; cd ../lib; echo l > l; git add l; git commit -qm l; cd -;"
        " git -c protocol.file.allow=always submodule --quiet add ../lib lib; git commit -qm sub"
    )
    found = {path: status for path, status in statuses(taken).items() if not path.startswith("bare/")}
    assert found == {
        "sub/b.txt": "modified", "sub/new": "added", "gone/g.txt": "deleted", "gone/n": "added",
        "x/y/o": "added", ".gitmodules": "added",
    }  # fmt: skip
    assert "bare/HEAD" in statuses(taken)
    assert flags(taken) == {("embedded-repository", "x/y/z/"), ("embedded-repository", "lib/")}


def test_a_file_as_large_as_a_disk_is_flagged_and_keeps_what_it_had(desk) -> None:
    taken = desk.change("truncate -s 1T new; truncate -s 300M a.txt; echo o > o")
    assert statuses(taken) == {"o": "added"}
    assert {(flag.path, flag.detail) for flag in taken.flags} == {
        ("new", f"{1 << 40} bytes"),
        ("a.txt", f"{300 << 20} bytes"),
    }


def test_rules_that_hide_files_are_flagged_with_what_they_hide(desk) -> None:
    taken = desk.change("echo s > .env; echo n > n")
    assert taken.flags == ()
    assert all(file.flags == () for file in taken.files)
    taken = desk.change(
        "echo '*.py' >> .gitignore; mkdir sub/h; echo h/ > sub/.gitignore; echo x > x.py; echo y > sub/h/y"
    )
    assert by_path(taken)[".gitignore"].flags == ("ignore-rules",)
    assert flags(taken) == {("ignored", ".env"), ("ignored", "x.py"), ("ignored", "sub/h/")}
    made = desk.create()
    for number in range(300):
        (made.path / f"x{number}.py").write_text("x")
    assert len(capture.take(made).flags) == capture.MOST_IGNORED + 1


ADVENTURES = (
    "git checkout -q -b side HEAD~1; echo p > p; git add p; git commit -qm p; git rebase -q -",
    "git tag mine; git commit -q --amend -m again; git tag -a -m t annotated",
    "git commit -q --allow-empty -m 'on top'; git reset -q --soft HEAD~2; git commit -q --amend -m 'the base itself'",
    "git pack-refs --all; packed=$(git rev-parse --git-dir)/packed-refs; sed -i 1d $packed; head=$(git rev-parse HEAD);"
    ' seq -f "$head refs/heads/b%.0f" 10000 >> $packed',
    "echo stashed > a.txt; git stash -q; git bisect start; git bisect bad; git bisect good HEAD~1",
    "git bisect reset; git checkout -q --detach; git checkout -q -b o HEAD~1; echo o > d.txt; git add d.txt; git commit -qm o;"
    " git merge -q - || true; git checkout -q --theirs . || true; echo four > d.txt",
    "git merge --abort; git checkout -q -f --orphan none; git rm -q -r --cached .; echo four > d.txt; echo p > p",
    "git gc -q --prune=now; git config user.name Somebody; rm -rf .git; git init -q --object-format=sha256",
)


def test_no_adventure_of_the_agent_with_git_changes_what_is_captured_nor_does_a_capture_touch_its_git(
    desk,
) -> None:
    """In the directory that containment puts over the user's, from one adventure into the next."""
    made = desk.create()
    (made.path / ".git").unlink()
    (made.path / ".git").symlink_to(made.agent_git_directory)
    before = desk.state()
    for script in ADVENTURES:
        shell(made.path, script)
        own = tree(made.agent_git_directory)
        assert statuses(capture.take(made)) == {"p": "added"}, script
        assert tree(made.agent_git_directory) == own, script
    assert desk.state() == before
    assert desk.sh("git branch --list 'b*' side o; git tag") == ""
    assert history.bring(made, desk.repository()) is None


def test_what_attributes_recode_is_captured_and_landed_byte_for_byte(desk) -> None:
    made = desk.create()
    shell(
        made.path,
        "printf '*.u16 working-tree-encoding=UTF-16\\n*.id ident\\n*.bin filter=lfs diff=lfs merge=lfs -text\\n"
        "*.bat text eol=crlf\\n*.un -text\\n' > .gitattributes; printf '\\377\\376a\\0\\n\\0' > x.u16; echo '$Id$' > x.id;"
        " printf 'a\\0b' > x.bin; printf 'a\\r\\nb\\r\\n' > x.bat; printf 'a\\r\\nb\\n' > x.un",
    )
    names = ("x.u16", "x.id", "x.bin", "x.un", "x.bat")
    left = {name: (made.path / name).read_bytes() for name in names}
    taken = capture.take(made)
    land(desk, taken)
    for name in names:
        blob = by_path(taken)[name].new_blob
        words = ["git", "--git-dir", desk.folder / ".git", "cat-file", "blob", str(blob)]
        stored = subprocess.run(words, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})
        assert stored.stdout == left[name], name
        if name != "x.id":  # the user's own git expands it, as it would after a pull
            assert (desk.folder / name).read_bytes() == left[name], name


def test_objects_that_a_gc_of_the_users_takes_are_stored_again_by_the_next_capture(desk) -> None:
    """Git does not write what a lender has, though the lender may drop it: here what an old stash held."""
    desk.sh("echo same | git hash-object -w --stdin; mkdir x; echo same > x/f; git add x; git stash -q -u")
    made = desk.create()
    shell(made.path, "mkdir x; echo same > x/f; echo same > same; rm a.txt")
    first = capture.take(made)
    desk.sh("git stash drop -q; git reflog expire --expire=now --all; git gc -q --prune=now")
    again = capture.take(made)
    assert (again.tree_oid, again.patch) == (first.tree_oid, first.patch)
    land(desk, again)
    assert desk.sh("cat x/f same; git fsck 2>&1 | grep -v dangling || true") == "same\nsame"
