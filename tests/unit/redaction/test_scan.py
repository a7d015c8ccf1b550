"""What a change is stopped for: known values and tokens in what it adds, with file and line and never the value."""

from __future__ import annotations

import base64

import pytest

from shared.secrets.scan import Finding, Scanner, added

KNOWN = {"TOKEN": "hunter2-hunter2-long", "KEY": "first line of a key\nsecond-line-of-a-key\n"}
PATCH = b"""diff --git a/app.py b/app.py
index 1..2 100644
--- a/app.py
+++ b/app.py
@@ -1,3 +1,4 @@
 context
-gone hunter2-hunter2-long
+++ looks like a header hunter2-hunter2-long
+plain
 more
@@ -10 +11,2 @@
+last
 end
diff --git a/a b/name with hunter2-hunter2-long b/name with hunter2-hunter2-long
new file mode 100644
--- /dev/null
+++ b/name with hunter2-hunter2-long
@@ -0,0 +1,2 @@
+one
+ghp_abcdefghij0123456789abcdefghij012345
\\ No newline at end of file
"""


def test_added_lines_carry_their_number_in_the_new_file() -> None:
    rows = [(path, line) for path, line, _ in added(PATCH) if path == "app.py"]
    assert rows == [("app.py", 2), ("app.py", 3), ("app.py", 11)]


def test_only_what_is_added_counts_and_a_files_name_does_too() -> None:
    odd = "name with hunter2-hunter2-long"
    assert list(Scanner(KNOWN).findings(PATCH)) == [
        Finding("app.py", 2, "the value of TOKEN"),
        Finding(odd, 0, "the value of TOKEN"),
        Finding(odd, 2, "github-token"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"hunter2-hunter2-long",
        base64.b64encode(b"x:hunter2-hunter2-long"),
        b"hunter2-hunter2-long".hex().encode(),
        "hunter2-hunter2-long".encode("utf-16-le"),
        b"second-line-of-a-key",
    ],
)
def test_a_known_value_is_found_in_any_form(text: bytes) -> None:
    assert [rule[:12] for rule in Scanner(KNOWN).rules_in(b"x = '" + text + b"'")] == ["the value of"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "aws-access-key"),
        ("glpat-0123456789abcdefghij", "gitlab-token"),
        ("xoxb-123456789012-abcdefghijkl", "slack-token"),
        ("sk-ant-api03-abcdefghijklmnopqrst", "anthropic-key"),
        ("sk_live_abcdefghij0123", "stripe-key"),
        ("AIzaabcdefghijklmnopqrstuvwxyz012345678", "google-key"),
        ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "npm-token"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private-key"),
        (r'"-----BEGIN PRIVATE KEY-----\nMIIE"', "private-key"),
    ],
)
def test_a_token_is_found_by_its_shape(text: str, rule: str) -> None:
    assert list(Scanner({}).rules_in(text.encode())) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme"',
        "postgres://postgres:postgres@localhost/app",
        "Authorization: Bearer 0123456789abcdef0123",
        'if line.startswith("-----BEGIN RSA PRIVATE KEY-----"):',
        "sk-ant-… is the shape of a key, xoxb-… another",
        "integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig",
    ],
)
def test_what_examples_and_tests_are_full_of_stops_nothing(text: str) -> None:
    assert list(Scanner(KNOWN).rules_in(text.encode())) == []


RENAMED = b"""diff --git a/hunter2-hunter2-long b/plain
similarity index 100%
rename from hunter2-hunter2-long
rename to plain
diff --git a/was b/b/hunter2-hunter2-long
similarity index 100%
rename from was
rename to b/hunter2-hunter2-long
diff --git a/hunter2-hunter2-long.txt b/hunter2-hunter2-long.txt
deleted file mode 100644
--- a/hunter2-hunter2-long.txt
+++ /dev/null
@@ -1 +0,0 @@
-hunter2-hunter2-long
diff --git "a/new \\"\\303\\251" "b/new \\"\\303\\251"
new file mode 100644
--- /dev/null
+++ "b/new \\"\\303\\251"
@@ -0,0 +1 @@
+hunter2-hunter2-long
"""


def test_a_name_counts_where_it_is_new_and_a_deleted_or_left_one_does_not() -> None:
    assert list(Scanner(KNOWN).findings(RENAMED)) == [
        Finding("b/hunter2-hunter2-long", 0, "the value of TOKEN"),
        Finding('new "é', 1, "the value of TOKEN"),
    ]
