"""The rules that read a shell command: what each hits, and what it must leave alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import policy
from shared.policy import NetworkMode, Policy

#: The default policy with all but one rule switched off.
ALONE = {
    "blocked_commands": Policy(allow_network=True, allow_git_write=True, allow_secrets=True),
    "network": Policy(blocked_commands=(), allow_git_write=True, allow_secrets=True),
    "git_write": Policy(blocked_commands=(), allow_network=True, allow_secrets=True),
    "secrets": Policy(blocked_commands=(), allow_network=True, allow_git_write=True),
}
HITS = {
    "blocked_commands": [
        "rm -rf build",
        "rm -r -f /",
        "rm -fr /",
        "rm -Rf x",
        "rm x -vrf",
        "rm --recursive --force x",
        "sudo true",
        "/usr/bin/sudo true",
        "SUDO true",
        "doas true",
        "git push",
        "git  push",
        "git\tpush origin main",
        "git -c a=b push",
        "git -C /x --no-pager push",
        'c""url x',
        "c\\url x",
        "cu\\\nrl x",
        "$'curl' x",
        '$"curl" x',
        "true && curl x",
        "true;wget x",
        "true\ncurl x",
        "a | ssh host",
        "(curl x)",
        "{ curl x; }",
        "! curl x",
        "if curl x; then true; fi",
        "while wget x; do true; done",
        "true & curl x",
        "X=1 curl x",
        "env -u A X=1 curl x",
        "env -S 'curl x'",
        "xargs -n 1 curl",
        "xargs -I {} curl {}",
        "timeout -k 5 10s curl x",
        "nice -n 10 nohup curl x",
        "busybox wget x",
        "sh -c 'curl x'",
        "bash -lc 'curl x'",
        "sh -ec 'curl x'",
        "sh -c 'sh -c \"curl x\"'",
        "eval 'curl x'",
        "find . -exec rm -rf {} +",
        "find . -name x -exec true \\; -exec rm -rf {} \\;",
        "echo $(curl x)",
        "echo `curl x`",
        'echo "$(curl x)"',
        'echo "$(curl $(cat y))"',
        'echo "`curl x`"',
        "curl x > out",
        ">out curl x",
        "2>/dev/null curl x",
        "true # it's over\ncurl x",
        "echo 'open quote\n' ; curl x",
    ],
    "network": [
        "curl x",
        "wget x",
        "ssh h",
        "scp a h:b",
        "nc h 1",
        "ncat h 1",
        "telnet h",
        "sftp h",
        "c''url x",
    ],
    "git_write": [
        "git push",
        "git commit -m x",
        "git -c user.name=x commit",
        "git tag v1",
        "git tag -d v1",
        "git merge x",
        "git rebase main",
        "git checkout x",
        "git reset --hard",
        "git stash",
        "git stash pop",
        "git clean -fdx",
        "git branch -D x",
        "git branch new",
        "git pull",
        "git am x.patch",
        "git restore .",
        "git --git-dir x commit",
        "git cherry-pick x",
    ],
    "secrets": [
        "cat .env",
        "cat sub/.env.local",
        "cat < .env",
        "cat ~/.netrc",
        "cat $HOME/.aws/credentials",
        "cat ${HOME}/.aws/credentials",
        "cp --from=.env x",
        "scp h:.pgpass x",
        "cat ~/.ssh/id_ed25519",
        "cat ~/.git-credentials",
        "cat config/secrets.yml",
        "printenv",
        "env",
        "env | grep KEY",
        "echo $API_KEY",
        "echo $OPENAI_API_KEY",
        "security find 'access token'",
        "cat /proc/self/environ",
    ],
}
INNOCENT = [
    "Make the handler async and test it",
    "Refactor the sync job",
    "rename func names",
    "fix the curly brace in the parser",
    "improve the sudoku solver",
    "keep a secretary list",
    "why is process.env undefined",
    "git stash list",
    "git stash show -p",
    "git tag",
    "git tag --list 'v*'",
    "git branch",
    "git branch -a",
    "git status",
    "git log --oneline",
    "git diff HEAD",
    "git rebase --help",
    "rm -r build",
    "rm -f x",
    "rm -- -rf",
    "echo rm -rf is dangerous",
    "echo 'sudo make me a sandwich'",
    "grep -r curl src",
    "grep '$(curl x)' README",
    "echo '`curl x`'",
    "command -v curl",
    "which curl",
    "python sync.py",
    "npm run func",
    "# curl; curl x",
    "true # ; curl x",
    "echo a#b",
    'echo "$(date) curl is not run"',
    "echo x > curl",
    "cp .env.example config",
    "ls src/credentials/index.ts",
    "source .env/bin/activate",
    "make environ",
]
DEFAULT = Policy()


def rules_hit(command: str, by: Policy) -> set[str]:
    return {finding.rule for finding in policy.evaluate(by, command=command, workspace="/w")}


@pytest.mark.parametrize(
    ("rule", "command"), [(rule, line) for rule, lines in HITS.items() for line in lines]
)
def test_a_rule_hits(rule: str, command: str) -> None:
    assert rules_hit(command, ALONE[rule]) == {rule}


@pytest.mark.parametrize("command", INNOCENT)
def test_no_rule_hits_an_innocent_line(command: str) -> None:
    assert rules_hit(command, DEFAULT) == set()


def test_every_rule_has_rows_in_this_table() -> None:
    assert set(HITS) == set(policy.RULES)


@pytest.mark.parametrize("lines", HITS.values(), ids=HITS)
def test_full_access_lifts_every_rule(lines: list[str]) -> None:
    assert [line for line in lines if rules_hit(line, policy.FULL_ACCESS)] == []


@pytest.mark.parametrize("rule", HITS)
def test_an_agent_is_never_judged_by_words(rule: str) -> None:
    assert policy.evaluate(ALONE[rule], command=None, workspace="/w") == []


LOCAL = [
    "curl localhost -o out.json",
    "curl -sSo out.json localhost",
    "curl -o out.json http://localhost:8080/health?x=1#y",
    "curl localhost > out.json",
    "curl localhost 2>/dev/null",
    "curl -X POST -d a.b=c.d -H 'Host: x.example' http://127.0.0.1/",
    "curl --data a.example --header h http://user:pw@localhost/",
    "curl 'http://[::1]:80/'",
    "curl -f localhost/a localhost/b",
    "wget -O out.json http://127.9.9.9/x.tar.gz",
    "ssh -p 22 me@localhost cat file.txt",
    "scp a.txt localhost:/tmp/b.txt",
    "nc localhost 8080",
    "telnet localhost 25",
]
REMOTE = [
    "curl localhost evil",
    "curl http://127.evil.com/",
    "curl $URL localhost",
    "curl 0x08080808 localhost",
    "curl localhost.evil.com",
    "curl http://localhost@evil.com/",
    "curl 'http://evil.com#@localhost'",
    "curl 'http://evil.com?@localhost'",
    "curl 'http://evil.com\\@localhost'",
    "curl http://$X@localhost/",
    "curl localhost$(echo .evil.com)",
    "curl 'http://{localhost,evil.com}/'",
    "curl localhost{,.evil.com}",
    "curl -x evil:80 localhost",
    "curl -sx evil:80 localhost",
    "curl --proxy evil localhost",
    "curl --connect-to ::evil: localhost",
    "curl -K file localhost",
    "curl --url evil.com localhost",
    "curl",
    "wget -i list localhost",
    "ssh -J evil localhost",
    "ssh evil localhost",
    "ssh -o ProxyCommand=x localhost",
    "scp a evil:b localhost:c",
    "scp a b",
    "nc evil 80 localhost",
    "nc -l 8080",
    "true; curl localhost; curl evil.com",
]


@pytest.mark.parametrize("command", LOCAL)
def test_localhost_mode_lets_this_machine_be_reached(command: str) -> None:
    mode = Policy(blocked_commands=(), network_mode=NetworkMode.LOCALHOST)
    assert rules_hit(command, mode) == set()


@pytest.mark.parametrize("command", REMOTE)
def test_localhost_mode_refuses_what_may_be_another_host(command: str) -> None:
    mode = Policy(blocked_commands=(), network_mode=NetworkMode.LOCALHOST)
    assert rules_hit(command, mode) == {"network"}


def test_allow_network_means_enabled_whatever_the_mode_says() -> None:
    assert Policy(allow_network=True).network is NetworkMode.ENABLED
    assert Policy(network_mode=NetworkMode.LOCALHOST).network is NetworkMode.LOCALHOST


def test_a_persons_own_fragment_is_matched_word_by_word() -> None:
    own = Policy(
        allow_network=True,
        allow_git_write=True,
        blocked_commands=("git push --force", "npm publish", "/usr/bin/make", "  ", ""),
    )
    assert rules_hit("git push origin --force", own) == {"blocked_commands"}
    assert rules_hit("git push origin", own) == set()
    assert rules_hit("npm run publish-docs", own) == set()
    assert rules_hit("npm --tag x publish", own) == {"blocked_commands"}
    assert rules_hit("make all", own) == {"blocked_commands"}


def test_refusals_say_in_one_sentence_what_they_are_about() -> None:
    def said(command: str, by: Policy = DEFAULT) -> str:
        return policy.evaluate(by, command=command, workspace="/w")[0].message

    assert "curl" in said("curl x")
    assert "network" in said("curl x", ALONE["network"])
    assert "git" in said("git commit")
    assert "secret" in said("cat .env")
    allowlist = Policy(allowed_workspaces=("/srv",))
    assert "allowlist" in policy.evaluate(allowlist, command=None, workspace="/w")[0].message


SHELLISH = st.text(
    st.sampled_from(list("abc \t\n'\"`$(){}[]<>;&|#\\=-/.:@!*~0é\0\udc80")) | st.characters(), max_size=200
)


@given(SHELLISH, st.sampled_from(list(NetworkMode)))
@settings(deadline=None, max_examples=60)
def test_no_line_makes_the_rules_fail(line: str, mode: NetworkMode) -> None:
    policy.evaluate(Policy(network_mode=mode), command=line, workspace="/w")


@given(
    st.sampled_from(["curl x", "sudo id", "git push", "cat .env"]),
    st.text(st.sampled_from("ab 1/."), max_size=20),
)
@settings(deadline=None, max_examples=40)
def test_a_command_is_found_behind_any_other_one(command: str, other: str) -> None:
    for line in (f"{other}\n{command}", f"{other}; {command}", f"true $({command})"):
        assert rules_hit(line, DEFAULT)


#: Half of the longest command the API takes.
LONG = 64 * 1024
PIECES = "find|-exec |sudo |$( |\"$( |`|( |{ |' |\\\n|# |git -c a |a=b |sh -c x |eval |/.a|/proc/|curl -x |<<<|a|> x |env -S "


@pytest.mark.parametrize("piece", PIECES.split("|"))
def test_a_long_line_is_judged_in_bounded_time(piece: str) -> None:
    line = "find . " + (piece * LONG)[:LONG]
    begun = time.process_time()
    policy.evaluate(Policy(network_mode=NetworkMode.LOCALHOST), command=line, workspace="/w")
    assert time.process_time() - begun < 1.5


@pytest.mark.parametrize(
    ("command", "objects"),
    [
        ("curl https://packages.example/simple/", False),
        ("curl -o x https://files.cdn.example:443/a", False),
        ("ssh git@git.example git-upload-pack x", False),
        ("curl https://packages.example.evil.com/", True),
        ("curl https://evilcdn.example/", True),
        ("curl https://cdn.example/", True),
        ("curl https://mirrorXexample/", True),
        ("curl localhost:5432", True),
        ("curl https://packages.example https://evil.com", True),
    ],
)
def test_a_listed_host_may_be_named_and_no_other(command: str, objects: bool) -> None:
    mode = Policy(blocked_commands=(), network_hosts=("packages.example", "*.cdn.example", "git.example:22"))
    assert rules_hit(command, mode) == ({"network"} if objects else set())
