"""Landing in odd repositories, with odd content, and beside a user who goes on working."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import BadRequest, Conflict, LandingRefused, NotReady
from tests.integration.repository.desk_landing import WORK, land, look, refs
from workers.repository import capture, landing, removal
from workers.repository.completion import Intent
from workers.repository.strategies import Recipe


def test_a_repository_without_a_commit_gets_its_first(make_desk) -> None:
    desk = make_desk("git init -q -b main; echo u > untracked; echo s > staged; git add staged")
    taken = desk.change("echo n > n")
    done = land(desk, taken)
    assert desk.sh("git rev-list --parents main").split() == [done.commit_oid]
    assert desk.sh("git status --porcelain") == "A  staged\n?? untracked"
    other = make_desk("git init -q -b main; echo u > n", name="two")
    with pytest.raises(LandingRefused):
        land(other, other.change("echo n > n", "task-two"))
    assert (other.folder / "n").read_text() == "u\n"


def test_a_bare_repository_lands_on_a_branch(make_desk) -> None:
    desk = make_desk(
        "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; rmdir ../repo; git clone -q --bare . ../repo"
    )
    taken = desk.change("echo n > n")
    assert land(desk, taken).commit_oid == desk.sh("git rev-parse main")
    with pytest.raises(NotReady, match="bare"):
        land(desk, taken, strategy="apply")


ODD = {
    "sha256": "git init -q -b main --object-format=sha256; echo a > a; git add a; git commit -qm a",
    "shallow": "git init -q -b main ../src; cd ../src; for n in 1 2 3; do echo $n > a; git add a; git commit -qm $n; done; git clone -q --depth 1 file://$PWD ../repo",
    "sparse": "git init -q -b main; mkdir x y; echo a > x/a; echo b > y/b; git add -A; git commit -qm a; git sparse-checkout set x",
    "split-index": "git init -q -b main; echo a > a; git add a; git commit -qm a; git update-index --split-index",
    "submodules": "git init -q -b main ../src; (cd ../src; echo a > a; git add a; git commit -qm a); git init -q -b main; git -c protocol.file.allow=always submodule --quiet add ../src sub; git commit -qm s",
    "linked": "git init -q -b other ../src; cd ../src; echo a > a; git add a; git commit -qm a; git worktree add -q -b main ../repo",
    "sparse-index": "git init -q -b main; mkdir x y; echo a > x/a; echo b > y/b; git add -A; git commit -qm a; git sparse-checkout set --cone --sparse-index x",
    "separate": "git init -q -b main --separate-git-dir=../elsewhere; echo a > a; git add a; git commit -qm a",
    "index-4": "git init -q -b main; git config feature.manyFiles true; echo a > a; git add a; git commit -qm a; git status; git update-index --index-version 4 --untracked-cache",
    "worktree-config": "git init -q -b main; git config extensions.worktreeConfig true; git config --worktree core.autocrlf input; echo a > a; git add a; git commit -qm a",
    "partial": "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; git config uploadpack.allowFilter true; git clone -q --filter=blob:none file://$PWD ../repo",
    "in-a-submodule": "git init -q -b main ../src; (cd ../src; echo a > a; git add a; git commit -qm a); git init -q -b main ../top; cd ../top; git -c protocol.file.allow=always submodule --quiet add -b main ../src sub; git commit -qm s; rmdir ../repo; ln -s top/sub ../repo",
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_odd_repositories_land(make_desk, kind) -> None:
    desk = make_desk(ODD[kind])
    taken = desk.change("mkdir -p x y z; echo n > x/n; echo n > y/n; echo n > z/n")
    land(desk, taken)
    assert desk.sh("git status --porcelain") == ""
    assert desk.sh("git ls-tree -r --name-only HEAD | grep -c /n") == "3"
    if kind.startswith("sparse"):
        assert not (desk.folder / "z").exists()
        assert (desk.folder / "x/n").exists()


def test_bytes_line_endings_links_and_modes_arrive_as_they_were(desk) -> None:
    taken = desk.change(
        "printf '\\357\\n\\0x' > bin; printf 'a\\r\\nb\\n' > mixed; ln -s /etc/hostname out; echo x > run; chmod +x run; printf 'l\\351\\n' >> a.txt"
    )
    land(desk, taken)
    assert (desk.folder / "bin").read_bytes() == b"\xef\n\0x"
    assert (desk.folder / "mixed").read_bytes() == b"a\r\nb\n"
    assert os.readlink(desk.folder / "out") == "/etc/hostname"
    assert os.access(desk.folder / "run", os.X_OK)
    assert (desk.folder / "a.txt").read_bytes().endswith(b"l\xe9\n")
    assert desk.sh("git status --porcelain") == ""


def test_odd_names_land(desk) -> None:
    made = desk.create()
    names = [b"a\nb", b"\xff.bin", b"-rf", b":(exclude)x", b" a ", "é.txt".encode(), b'"q"', b"x" * 255]
    for name in names:
        (made.path / os.fsdecode(name)).write_text("x\n")
    land(desk, capture.take(made))
    assert all((desk.folder / os.fsdecode(name)).read_text() == "x\n" for name in names)
    assert desk.sh("git status --porcelain") == ""


def test_files_with_eol_attributes_of_the_user_count_as_clean_and_land(desk) -> None:
    desk.sh(
        "printf '*.bat text eol=crlf\\n' > .gitattributes; printf 'x\\r\\n' > r.bat; git add -A; git commit -qm bat; rm r.bat; git checkout -q r.bat; touch r.bat"
    )
    taken = desk.change("echo y >> r.bat")
    land(desk, taken)
    assert (desk.folder / "r.bat").read_bytes() == b"x\r\ny\r\n"
    assert desk.sh("git status --porcelain") == ""


def test_landing_wants_what_was_shown(desk) -> None:
    taken = desk.change(WORK)
    shown = look(desk, taken)
    with pytest.raises(Conflict, match="changed since"):
        land(desk, taken, expected_head="f" * 40)
    desk.sh("git commit -q --allow-empty -m x")
    with pytest.raises(Conflict, match="moved since"):
        land(desk, taken, expected_target=shown.target_oid)
    land(desk, taken, expected_head=shown.head_oid, expected_target=look(desk, taken).target_oid)
    with pytest.raises(Conflict, match="no changes"):
        land(desk, taken)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"target_branch": "nope"}, NotReady),
        ({"target_branch": "-x"}, BadRequest),
        ({"target_branch": "HEAD~1"}, BadRequest),
        ({"strategy": "octopus"}, BadRequest),
        ({"message": "  "}, BadRequest),
        ({"message": "a\0b"}, BadRequest),
        ({"strategy": "apply", "target_branch": "side"}, NotReady),
    ],
)
def test_unusable_words_are_refused_and_change_nothing(desk, words, error) -> None:
    taken = desk.change(WORK)
    before, names = desk.state(), refs(desk)
    with pytest.raises(error):
        land(desk, taken, **words)
    assert (desk.state(), refs(desk)) == (before, names)


def test_the_backup_brings_back_staged_and_unstaged_work(desk) -> None:
    taken = desk.change(WORK)
    desk.sh("echo staged > s; git add s; echo un >> sub/b.txt; echo loose > loose")
    done = land(desk, taken)
    desk.sh("git reset -q --hard; rm -f loose")
    desk.sh(f"git stash apply -q --index {done.backup_ref}")
    assert (
        desk.sh("cat s loose; tail -1 sub/b.txt; git diff --cached --name-only | grep -x s")
        == "staged\nloose\nun\ns"
    )


def test_work_still_lands_from_its_recovery_ref_after_a_cleanup(desk) -> None:
    taken = desk.change(WORK)
    removal.remove(desk.create(), keep=taken.head_oid)
    assert not taken.git_directory.exists()
    land(desk, taken)
    assert desk.sh("git rev-parse main^{tree}") == taken.tree_oid


def test_work_that_is_stored_nowhere_is_a_conflict(desk) -> None:
    taken = desk.change(WORK)
    removal.remove(desk.create(), keep=None)
    with pytest.raises(Conflict, match="no longer stored"):
        land(desk, taken)


def test_a_task_lands_again_with_more_work(desk) -> None:
    land(desk, desk.change("echo one > w1; sed -i s/one/ONE/ a.txt"))
    land(desk, desk.change("echo two > w2; sed -i s/three/THREE/ a.txt"))
    assert (desk.folder / "a.txt").read_text() == "ONE\ntwo\nTHREE\n"
    assert desk.sh("git status --porcelain") == ""


@pytest.mark.parametrize("checked_out", [True, False])
def test_eight_landings_at_once_all_land(desk, checked_out) -> None:
    target = "main" if checked_out else "side"
    desk.sh("git branch side; echo mine > untracked; echo mine >> sub/b.txt")
    work = [desk.change(f"echo {n} > f{n}", f"task-{n:04}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda taken: land(desk, taken, target_branch=target), work))
    assert len({one.commit_oid for one in done}) == 8
    assert desk.sh(f"git rev-list --count {target}") == "10"
    assert desk.sh(f"git ls-tree --name-only {target} | grep -c '^f[0-7]$'") == "8"
    assert desk.sh("git status --porcelain") == "M sub/b.txt\n?? untracked"


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_beside_a_user_who_goes_on_committing_each_landing_lands_or_says_why_not(desk, rounds) -> None:
    """Whoever finds the index or the branch locked tries again, as a person does; no commit of either side is lost."""
    landed, refused = set(), 0
    mine = "echo {0} > mine; until git add mine && git commit -qm mine-{0} -- mine; do :; done 2>/dev/null"
    for turn in range(rounds):
        work = [desk.change(f"echo {n} > f{turn}-{n}", f"task-{turn:02}-{n}") for n in range(4)]
        with ThreadPoolExecutor(5) as pool:
            user = pool.submit(lambda turn=turn: [desk.sh(mine.format(f"{turn}-{n}")) for n in range(4)])
            for found in [pool.submit(land, desk, taken) for taken in work]:
                try:
                    landed.add(found.result().commit_oid)
                except Conflict:
                    refused += 1
            user.result()
        assert desk.sh("git status --porcelain") == ""
    subjects = desk.sh("git log --format=%s main").split("\n")
    assert (subjects.count("Land the work"), refused) == (len(landed), 4 * rounds - len(landed))
    assert [subject for subject in subjects if subject.startswith("mine-")] == [
        f"mine-{turn}-{n}" for turn in reversed(range(rounds)) for n in reversed(range(4))
    ]
    assert set(desk.sh("git log --format=%H main").split()) >= landed
    assert desk.sh("git fsck 2>&1 | grep -v dangling || true") == ""
    print(f"{len(landed)} landed, {refused} refused beside {4 * rounds} commits of the user's")


def test_a_user_who_commits_during_a_landing_is_not_run_over(desk) -> None:
    """The target moves between preparing and completing: the first try gives way, the next builds on it."""
    taken = desk.change("echo n > n")
    seen: list[Intent] = []

    def meddle(intent: Intent) -> None:
        seen.append(intent)
        if len(seen) == 1:
            desk.sh("echo u > u; git add u; git commit -qm theirs")

    done = land(desk, taken, record=meddle)
    assert len(seen) == 2
    assert desk.sh("git log --format=%s -2") == "Land the work\ntheirs"
    assert done.previous_oid == desk.sh("git rev-parse main^")


def test_a_user_who_edits_during_a_landing_is_not_run_over(desk) -> None:
    taken = desk.change("echo n > n; echo more >> a.txt")
    with pytest.raises(LandingRefused):
        land(desk, taken, record=lambda _: desk.sh("echo mine >> a.txt"))
    assert (desk.folder / "a.txt").read_text() == "one\ntwo\nthree\nmine\n"
    assert not (desk.folder / "n").exists()
    assert not (desk.folder / ".git/index.lock").exists()


def test_the_checkout_is_unharmed_when_it_cannot_be_written(desk) -> None:
    if os.geteuid() == 0 and shutil.which("chattr") is None:
        pytest.skip("needs chattr to make a folder read-only for root")
    taken = desk.change("echo n > n; echo d > sub/deep/new; echo z > zz")
    before = desk.state()
    immutable = subprocess.run(["chattr", "+i", desk.folder / "sub/deep"], capture_output=True)
    if immutable.returncode != 0:
        pytest.skip("this file system knows no immutable folders")
    try:
        with pytest.raises(LandingRefused, match="as it was"):
            land(desk, taken)
    finally:
        subprocess.run(["chattr", "-i", desk.folder / "sub/deep"], check=True)
    assert desk.state() == before


def test_a_workspace_in_a_folder_of_the_repository_lands_the_whole_of_it(desk) -> None:
    made = desk.create(inside="sub")
    (made.execution_path / "inner").write_text("i\n")
    (made.path / "outer").write_text("o\n")
    recipe = Recipe("squash", "Land")
    landing.land(desk.repository("sub"), capture.take(made), recipe=recipe, target_branch="main")
    assert desk.sh("cat sub/inner outer; git status --porcelain") == "i\no"


def test_a_repository_that_was_moved_is_landed_on_where_it_is_now(desk) -> None:
    taken = desk.change(WORK)
    moved = desk.folder.with_name("moved")
    desk.folder.rename(moved)
    desk.folder = moved
    desk.create()  # the task's next attempt, or its next look, finds the repository
    land(desk, taken)
    assert desk.sh("git rev-parse main^{tree}") == taken.tree_oid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_another_account_is_landed_on_all_the_same(desk) -> None:
    desk.sh("chown -R 12345:12345 .")
    taken = desk.change(WORK)
    land(desk, taken)
    assert desk.sh("git -c safe.directory='*' rev-parse main^{tree}") == taken.tree_oid
    assert os.stat(desk.folder / ".git/index").st_uid == 12345
