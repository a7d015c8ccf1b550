"""Twenty-one secrets leaked in every form through a whole installation: no byte of them in any file, answer or argument."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.secrets.redaction import Redactor
from tests.installation import Installation, installed, repository
from tests.integration.web.conftest import open_ws
from tests.security.leaking import PROGRAM, SECRETS, forms, leaks

OWN_WORK = ("worktrees",)


@dataclass
class Leaked:
    """A task that leaked everything it was granted, and every byte that went over the wire meanwhile."""

    site: Installation
    task_id: str = ""
    traffic: bytearray = field(default_factory=bytearray)
    arguments: bytearray = field(default_factory=bytearray)

    def get(self, path: str) -> object:
        answer = self.site.get(path)
        self.heard(answer.body)
        return answer.body

    def heard(self, body: object) -> None:
        self.traffic += body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.traffic += b"\n" + json.dumps(body, default=str).encode()

    def watch_arguments(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    with contextlib.suppress(OSError):
                        self.arguments += Path("/proc", entry, "cmdline").read_bytes() + b"\n"

    def listen(self) -> threading.Thread:
        ws = open_ws(self.site)
        ws.send({"sub": [{"topic": "board"}, {"topic": f"task:{self.task_id}", "after": 0}]})

        def hear() -> None:
            with ws, contextlib.suppress(OSError, EOFError):
                ws.socket.settimeout(2)
                while True:
                    self.traffic.extend(ws.frame()[1])

        thread = threading.Thread(target=hear)
        thread.start()
        return thread

    def run(self, *words: str, given: bytes | None = None) -> bytes:
        argv = [sys.executable, "-P", "-m", "openruntime", *words]
        done = subprocess.run(
            argv, env=self.site.environment, cwd=self.site.home, capture_output=True, input=given
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@pytest.fixture(scope="module")
def leaked() -> Iterator[Leaked]:
    with tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as folder:
        repo = repository(Path(folder, "repo"))
        Path(repo, "leak.py").write_text(PROGRAM)
        for words in (("add", "-A"), ("commit", "-qm", "A program")):
            subprocess.run(["git", "-C", str(repo), *words], check=True)
        with installed(Path(folder, "site")) as site:
            for name, value in SECRETS.items():
                assert site.post("/secrets", {"name": name, "value": value}).status == 200
            found = Leaked(site)
            over = threading.Event()
            watcher = threading.Thread(target=found.watch_arguments, args=(over,))
            watcher.start()
            try:
                task = site.create(
                    f"exec {sys.executable} leak.py {' '.join(SECRETS)}",
                    repo,
                    title=f"Leak {SECRETS['SPACED']}",
                    prompt=f"with {SECRETS['PATTERN']}",
                    env=list(SECRETS),
                    policy={"workspace_access": "full"},
                )
                found.task_id = str(task["id"])
                listener = found.listen()
                assert site.post(f"/tasks/{task['id']}/start").status in (200, 202)
                site.until(found.task_id, timeout=60)
                listener.join()
            finally:
                over.set()
                watcher.join()
            yield found


def test_the_program_had_every_secret_and_its_output_is_there_but_masked(leaked: Leaked) -> None:
    task = leaked.site.task(leaked.task_id)
    assert (task["status"], task["title"]) == ("ready-for-review", "Leak [secret SPACED]")
    output = leaked.site.output(leaked.task_id)
    assert output[-1] == "all leaked"
    assert len([line for line in output if "[redacted]" in line]) > 10 * len(SECRETS)
    for name, value in SECRETS.items():
        written = Path(task["worktree_path"], "out", name).read_bytes()
        assert value.encode() in written, "the agent itself got the value as it is"


def test_no_answer_and_no_live_frame_holds_a_secret(leaked: Leaked) -> None:
    task = f"/tasks/{leaked.task_id}"
    for path in (
        *("/tasks?events=all", "/secrets", "/audit", "/costs", "/metrics", "/workspaces", "/runner-sessions"),
        *(f"{task}?events=all", f"{task}/diff?refresh=1", f"{task}/runner/logs", f"{task}/approvals"),
        f"{task}/events?limit=1000",
    ):
        leaked.get(path)
    for body in ({}, {"override": ["secrets"], "head_oid": "0" * 40}):
        refused = leaked.site.post(f"{task}/worktree/merge", body)
        assert refused.status == 409
        leaked.heard(refused.body)
    leaked.heard(leaked.site.post(f"{task}/worktree/preview", {}).body)
    leaked.heard(leaked.site.post("/tasks", {"title": SECRETS["HEX"], "prompt": 1}).body)
    assert len(leaked.traffic) > 100_000
    assert leaks(leaked.traffic) == set()


def test_a_landing_names_every_file_with_a_secret(leaked: Leaked) -> None:
    refused = leaked.site.post(f"/tasks/{leaked.task_id}/worktree/merge", {}).body
    assert {f"out/{name}" for name in SECRETS} <= {found["path"] for found in refused["blocking"]}


def test_no_argument_of_any_process_holds_a_secret(leaked: Leaked) -> None:
    assert b"leak.py" in leaked.arguments
    assert leaks(bytes(leaked.arguments)) == set()


def test_no_file_of_ours_holds_a_secret_nor_does_a_backup(leaked: Leaked, tmp_path: Path) -> None:
    leaked.run("backup", str(tmp_path / "backup.tar"))
    scanned = 0
    for folder, folders, names in os.walk(leaked.site.data):
        if Path(folder) == leaked.site.data:
            folders[:] = [name for name in folders if name not in OWN_WORK]
        for path in (Path(folder, name) for name in names):
            if path.is_file():
                scanned += path.stat().st_size
                assert (leaks(path.read_bytes()), leaks(os.fsencode(path))) == (set(), set()), path
    assert scanned > 500_000
    assert leaks((tmp_path / "backup.tar").read_bytes()) == set()


def test_a_secret_is_kept_from_a_pipe_listed_and_forgotten_at_the_command_line(leaked: Leaked) -> None:
    value = b"-----BEGIN KEY-----\nline two of a key\n"
    said = leaked.run("secret", "set", "PIPED", given=value)
    assert said == b"PIPED  kept\n"
    assert b"PIPED" in leaked.run("secret", "ls")
    scrubbed = json.loads(leaked.run("--json", "scrub", "--dry-run", given=value))
    assert (scrubbed["rows"], scrubbed["left"]) == ({}, [])
    leaked.run("secret", "rm", "PIPED")
    assert [row["name"] for row in json.loads(leaked.run("--json", "secret"))] == sorted(SECRETS)


def test_a_scrub_finds_nothing_left_to_do_but_in_the_agents_own_files(leaked: Leaked) -> None:
    found = json.loads(leaked.run("--json", "scrub", "--dry-run", "JSONISH"))
    assert (found["rows"], found["files"]) == ({}, {})
    assert any("/out/JSONISH" in path for path in found["left"])


# The redactor by itself, at every place where its input can be cut


def assert_streams_without_leak(name: str, cuts: random.Random, rounds: int) -> None:
    for form in forms(SECRETS[name]):
        line = b"before <" + form + b"> after\n"
        for _ in range(rounds):
            redactor, out, at = Redactor(SECRETS), bytearray(), 0
            while at < len(line):
                end = at + cuts.randint(1, len(line))
                out += redactor.feed(line[at:end])
                at = end
                if cuts.random() < 0.3:
                    out += redactor.flush()
            out += redactor.flush(final=True)
            assert leaks(bytes(out)) == set(), (name, form[:20], bytes(out)[:200])


@pytest.mark.parametrize("name", SECRETS)
def test_a_stream_cut_anywhere_leaks_nothing(name: str) -> None:
    assert_streams_without_leak(name, random.Random(f"{name}-short"), 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", SECRETS)
def test_a_stream_cut_in_two_thousand_ways_leaks_nothing(name: str) -> None:
    assert_streams_without_leak(name, random.Random(name), 2000 // 14)
