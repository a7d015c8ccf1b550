"""Which text counts as a secret without being told: the misses and false hits known from the field."""

from __future__ import annotations

import pytest

from shared.secrets.redaction import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("DB_PASSWORD=hunter2", "DB_PASSWORD=[redacted]"),
        ("run --token=abc --x", "run --token=[redacted] --x"),
        ('{"token":"abc"}', '{"token":"[redacted]"}'),
        ("{'api_key': 'abc'}", "{'api_key': '[redacted]'}"),
        ("password: x", "password: [redacted]"),
        ("x-api-key: x", "x-api-key: [redacted]"),
        ("token = x", "token = [redacted]"),
        ("token := x", "token := [redacted]"),
        ("https://h/?access_token=abc&n=1", "https://h/?access_token=[redacted]&n=1"),
        ("AWS_SECRET_ACCESS_KEY=a/b+c", "AWS_SECRET_ACCESS_KEY=[redacted]"),
        ("MYSQL_PWD=abc", "MYSQL_PWD=[redacted]"),
        ("ghp_abcdefghij0123456789abcdefghij012345", "[redacted]"),
        ("(xoxb-1234567890-abcdef)", "([redacted])"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
        ("git clone https://me:s3cret@host/r.git", "git clone https://me:[redacted]@host/r.git"),
        ("redis://:pw@host:6379/0", "redis://:[redacted]@host:6379/0"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ("> authorization: Bearer abc", "> authorization: Bearer [redacted]"),
        ("-H 'Authorization: token abc'", "-H 'Authorization: token [redacted]'"),
        ("sent Bearer 0123456789abcdef0123", "sent Bearer [redacted]"),
        ("sk-ant-abcd", "[redacted]"),
        ('KEY_TOKEN = rb"abcdef"', 'KEY_TOKEN = rb"[redacted]"'),
        ("| password: Swordfish | of a table |", "| password: [redacted] | of a table |"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig-_x", "[redacted]"),
        ('"k":"-----BEGIN PRIVATE KEY-----\\nMIIa\\n-----END PRIVATE KEY-----\\n"',
         '"k":"-----BEGIN PRIVATE KEY-----[redacted]-----END PRIVATE KEY-----\\n"'),
        ("  -----BEGIN EC PRIVATE KEY-----\n  MIIa+/=\nnot key, prose", "  -----BEGIN EC PRIVATE KEY-----\n  [redacted]\nnot key, prose"),
    ],
)  # fmt: skip
def test_a_secret_s_value_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "/home/me/Projects/LongMixedCase1Name/src/MyClass2Impl.test.ts",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "class Sha256Hasher2 extends Base64Encoder1",
        "the bearer instruments were issued, basic understanding is enough",
        '{"type":"system","subtype":"init","session_id":"0a1B2c3D-4e5F","apiKeySource":"none","tools":["Bash"]}',
        '{"usage":{"input_tokens":12,"output_tokens":3,"max_tokens":4096},"token":7}',
        "def login(password: str, token: Optional[str] = None) -> Token:",
        "    self.token = other.token",
        "token = tokenizer.next(1)",
        "export TOKEN=$OTHER; echo password=${PASSWORD}",
        "--token <TOKEN>  and api_key=*** or Token::new, token == y",
        "keep it secretary-like, tokens=3, passwordless: yes",
        "task-0123456789abcdef0123456789abcdef",
        "git@github.com:me/x.git http://localhost:8080/@scope/pkg",
        "password=[redacted] \"token\":\"[redacted]\"",
        r'"\"TOKEN=\""',
        '["TOKEN="]',
        "the first secret: it costs 40 ms, a token: the owner's",
        "api_token: ApiToken | None = None;",
        "secret = PREFIX + secrets.token_urlsafe(32); authorization = _Pattern(x)",
        'curl -H "Authorization: Bearer $(cat data/token)" -H "Authorization: Bearer ${TOKEN}"',
        "authorization: {credentials_file: /path}",
        "masked are `password=…` and the like",
        'text.rpartition("#token=")[2], problem("secret:" ~ row.name)',
        "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----",
    ],
)  # fmt: skip
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text
