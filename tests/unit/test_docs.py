"""What the documents say is so: settings, Make targets, decisions, links; and no trace of one machine in the project."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.agents import options
from shared.audit import Act
from shared.commands import UNRECORDED, CommandKind
from shared.config import Config
from shared.policy import Policy
from workers.runners import registry
from workers.runners.observations import Outcome

ROOT = Path(__file__).resolve().parents[2]
FOREIGN_SETTINGS = {"PORT", "MANAGED_AGENTS_DB", "CLAUDE_CONFIG_DIR", "CLAUDE_HOME", "CODEX_HOME"}
# Written apart, or this file would be its own finding.
MACHINE = ("/work" + "/main", "/work" + "/shared", "/root" + "/.", "file" + ":///opt")
HOSTS = (
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "pkg" + ".dev",
    "uv" + ".lock\n",
)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")


def read(name: str) -> str:
    return (ROOT / name).read_text()


def tracked(*patterns: str) -> list[Path]:
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.check_output(argv, cwd=ROOT).decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def documents() -> list[Path]:
    return tracked("*.md")


def make_targets() -> dict[str, list[str]]:
    """Target to its recipe lines."""
    found: dict[str, list[str]] = {}
    for line in read("Makefile").splitlines():
        if match := re.match(r"([a-z]+):.*## .+", line):
            current = found.setdefault(match[1], [])
        elif line.startswith("\t"):
            current.append(line)
    return found


def test_every_setting_is_documented() -> None:
    text = read("docs/configuration.md")
    named = set(re.findall(r'"(OPENRUNTIME_[A-Z_]+)"', read("shared/config.py"))) | FOREIGN_SETTINGS
    assert {name for name in named if f"`{name}`" not in text} == set()
    fields = {field.name for field in dataclasses.fields(Config)} - {"environment"}
    assert {name for name in fields if f"`{name}`" not in text} == set()


def test_every_documented_setting_exists() -> None:
    known = "".join(path.read_text() for path in tracked("shared/*.py", "workers/*.py", "openruntime/*.py"))
    rows = re.findall(r"^\| `(OPENRUNTIME_[A-Z_]+)`", read("docs/configuration.md"), re.MULTILINE)
    assert rows
    assert {name for name in rows if name not in known} == set()


def test_every_kind_of_the_audit_log_is_documented_and_no_other() -> None:
    table = read("docs/audit.md").split("| kind | recorded when |")[1].split("\n\n")[0]
    named = re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`[^|]+)", table, re.MULTILINE)))
    assert {*named} == {*Act} | ({*CommandKind} - UNRECORDED)


def test_every_policy_field_is_documented() -> None:
    text = read("docs/policy.md")
    assert [field.name for field in dataclasses.fields(Policy) if f"`{field.name}`" not in text] == []


def test_the_table_of_runners_says_what_they_say_of_themselves() -> None:
    rows = [
        line.strip("|").split("|") for line in read("docs/runners.md").splitlines() if line.startswith("| ")
    ]
    table = {
        row[0].strip().split(" ")[0].strip("`"): [cell.strip() for cell in row[1:]]
        for row in rows
        if len(row) == 4
    }
    for place, name in enumerate(("shell", "claude-code", "codex")):
        known = registry.get(name).capabilities
        told = {word: cells[place] for word, cells in table.items()}
        assert told["reply"].startswith(known.reply)
        for word in ("approvals", "edits", "sessions"):
            assert (told[word] not in ("no", "–")) == (getattr(known, word) and name != "shell"), (name, word)
        assert set(re.findall(r"`(\w+)`", told["modes"])) == set(known.modes)
        assert told["efforts"] == (", ".join(known.efforts) or "–")
        assert set(re.findall(r"`(--[\w-]+)`", told["arguments"])) == set(known.arguments)


def test_every_outcome_and_option_is_documented() -> None:
    text = read("docs/runners.md")
    assert [word for word in (*Outcome, *options.NAMES) if f"`{word}`" not in text] == []


def test_every_make_target_is_short_and_told_to_contributors() -> None:
    targets, text = make_targets(), read("CONTRIBUTING.md")
    assert {"help", "run", "test", "check", "slow", "bench", "lock", "build", "clean"} <= set(targets)
    assert {name: recipe for name, recipe in targets.items() if not 1 <= len(recipe) <= 3} == {}
    assert [name for name in targets if f"`make {name}`" not in text] == []


def test_documents_name_only_make_targets_there_are() -> None:
    named = {name for path in documents() for name in re.findall(r"`make ([a-z]+)", path.read_text())}
    assert named <= set(make_targets())


def test_decisions_are_numbered_without_gap_and_each_has_a_status() -> None:
    names = sorted(path.name for path in (ROOT / "docs/adr").glob("*.md"))
    assert [name[:5] for name in names] == [f"{number:04}-" for number in range(1, len(names) + 1)]
    for name in names:
        text = read(f"docs/adr/{name}")
        assert text.startswith(f"# {name[:4]} "), name
        assert re.search(r"^Status: (accepted|replaced by \d{4})", text, re.MULTILINE), name


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def links() -> Iterator[tuple[Path, str]]:
    for path in documents():
        prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        yield from ((path, target) for target in LINK.findall(prose))


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for path, target in links():
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (path.parent / name).resolve() if name else path
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_document_is_reachable_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    pairs = list(links())
    while waiting:
        path = waiting.pop()
        seen.add(path)
        goals = {(path.parent / target.split("#")[0]).resolve() for source, target in pairs if source == path}
        waiting += [goal for goal in goals - seen if goal.suffix == ".md" and goal.is_file()]
    expected = {path for path in documents() if path.parent in (ROOT, ROOT / "docs")}
    assert {str(path.relative_to(ROOT)) for path in expected - seen} == set()


@pytest.mark.parametrize("trace", [*MACHINE, *HOSTS, "OWN FOLDER"])
def test_no_file_carries_a_trace_of_one_machine(trace: str) -> None:
    if trace == "OWN FOLDER":
        trace = f"{ROOT}/"
        if len(ROOT.parts) < 3:
            return  # a checkout at /src says nothing
    needle = trace.encode()
    found = [str(path.relative_to(ROOT)) for path in tracked() if needle in path.read_bytes()]
    assert found == []
