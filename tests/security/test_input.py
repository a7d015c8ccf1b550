"""S2, S12, S17 and S18 in process: forms of other pages, paths that climb, JSON that explodes, lines that forge a log."""

from __future__ import annotations

import logging
import re
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared.access import accounts
from shared.config import Config
from shared.secrets import masking
from shared.store.database import raw
from tests.security.test_authority import UNKNOWN, Credentials, cases
from tests.unit.web.conftest import HOST, PORT, Api
from web.app import Application
from web.security import Authority, authority

TASK = '{"title":"t","prompt":"p","runner":"shell","command":"true"}'
#: What a page of another site can send without asking first, and where from.
FORMS = [
    ("application/x-www-form-urlencoded", "title=t&prompt=p&runner=shell&command=true&_method=DELETE"),
    (
        "multipart/form-data; boundary=x",
        '--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nt\r\n--x--\r\n',
    ),
    ("text/plain", TASK),
    ("", TASK),
]
ORIGINS = [None, "null", "https://evil.example", f"http://127.0.0.1:{PORT + 1}", f"https://127.0.0.1:{PORT}"]


def rows() -> str:
    return "\n".join(line for line in raw().iterdump() if not line.startswith('INSERT INTO "login"'))


def test_no_form_of_another_page_changes_anything(
    app: Application, config: Config, client: FlaskClient
) -> None:
    """The browser adds the cookie; what it cannot add is our Origin and the page's CSRF token."""
    cookie, _ = accounts.sign_in()
    before, wrong, count = rows(), [], 0
    for method, route, path, _ in cases(app):
        if method in ("GET", "HEAD") or path == "/login":
            continue
        for mimetype, body in FORMS:
            for origin in ORIGINS[len(mimetype) % 2 :: 2]:
                headers = {"Host": HOST, "Cookie": f"openruntime_{PORT}={cookie}", "Content-Type": mimetype}
                headers |= {} if origin is None else {"Origin": origin}
                answer = client.open(path, method=method, headers=headers, data=body)
                count += 1
                if answer.status_code not in (403, 415):
                    wrong.append((method, route, mimetype, origin, answer.status_code))
    assert wrong == []
    assert rows() == before
    assert count > 400


CLIMBING = [
    "../token", "..%2ftoken", "%2e%2e%2ftoken", "%2e%2e/token", "..%252ftoken", "%252e%252e%252ftoken", "..\\token",
    "..%5ctoken", "....//token", "..;/token", "%c0%ae%c0%ae/token", "%00", "token%00.css", "/etc/passwd", "%2fetc%2fpasswd",
    "//etc/passwd", "~/token", "%7e", "\uff0e\uff0e/token", "%ef%bc%8e%ef%bc%8e%2ftoken", "css/../../../token",
    "C:\\windows", "file:///etc/passwd", "." * 5000, "a" * 5000, "%", "%zz", "{id}", "*", "%0d%0aX-Evil:%201",
]  # fmt: skip


def test_no_address_leads_outside(
    app: Application, config: Config, client: FlaskClient, tmp_path: Path
) -> None:
    """Into every place of every route that holds a value, and into what is asked for by path."""
    owner = Credentials(config).of("owner")
    secret = accounts.owner_token(config).encode()
    wrong, count = [], 0
    for turn, (method, route, path, _) in enumerate(cases(app)):
        if method == "HEAD" or UNKNOWN not in path:
            continue
        for form in (
            CLIMBING if "static" in path else CLIMBING[turn % 8 :: 8]
        ):  # all forms, not all at every place
            count += 1
            address = path.replace(UNKNOWN, form, 1)
            answer = client.open(address, method=method, headers={"Host": HOST, **owner})
            found = answer.get_data()
            if (
                answer.status_code in (500, 502, 503)
                or secret in found
                or b"root:" in found
                or "X-Evil" in answer.headers
            ):
                wrong.append((method, route, form[:40], answer.status_code))
    assert wrong == []
    assert count > 200


def test_a_diff_is_asked_for_by_name_never_read_by_path(api: Api, config: Config) -> None:
    task = api.new()
    for form in (*CLIMBING, str(config.token_file), f"../../../../..{config.token_file}"):
        answer = api.get(f"/tasks/{task['id']}/diff", query_string={"path": form})
        assert answer.status_code in (400, 404, 422), form[:40]
        assert api.token not in answer.text


def deep(opening: str, closing: str, levels: int) -> str:
    return opening * levels + closing * levels


def titled(value: str) -> str:
    return f'{{"title":{value},"prompt":"p","runner":"shell","command":"true"}}'


JSON = {"Content-Type": "application/json"}
BOMBS: list[tuple[bytes | str, dict[str, str], set[int]]] = [
    (deep("[", "]", 100_000), JSON, {400}),
    (deep('{"a":', "}", 100_000), JSON, {400}),
    (titled(deep("[", "]", 60)), JSON, {422}),
    (titled("9" * 5000), JSON, {400}),
    (titled("-" + "9" * 20), JSON, {400}),
    (titled("1e999"), JSON, {400}),
    (titled("-1e999"), JSON, {400}),
    (titled("NaN"), JSON, {400}),
    (titled("Infinity"), JSON, {400}),
    (titled("1" * 19), JSON, {422}),
    ('{"title":"a","title":"b"}', JSON, {400}),
    ('{"policy":{"allow_network":false,"allow_network":true}}', JSON, {400}),
    (titled('"\\ud800"'), JSON, {400}),
    (titled('"a\\u0000b"'), JSON, {400}),
    (b'{"title":"\xff"}', JSON, {400}),
    (b'{"title":"\xed\xa0\x80"}', JSON, {400}),
    (b"\xef\xbb\xbf" + TASK.encode(), JSON, {400}),
    (TASK.encode("utf-16"), JSON, {400}),
    (TASK.encode("utf-32"), JSON, {400}),
    (TASK, {"Content-Type": "application/json; charset=utf-16"}, {415}),
    (zlib.compress(TASK.encode()), {**JSON, "Content-Encoding": "deflate"}, {415}),
    (zlib.compress(b" " * 10**7), {**JSON, "Content-Encoding": "gzip"}, {415}),
    (TASK + "garbage", JSON, {400}),
    (TASK + TASK, JSON, {400}),
    (f"[{TASK}]", JSON, {422}),
    ('"' + "x" * 100 + '"', JSON, {422}),
    ("null", JSON, {422}),
    ("true", JSON, {422}),
    ("1", JSON, {422}),
    ("", JSON, {400}),
    (b"\0", JSON, {400}),
    ("x" * (3 << 20), JSON, {413}),
    (titled('"' + "x" * (3 << 20) + '"'), JSON, {413}),
    (titled('"' + "x" * 1001 + '"'), JSON, {422}),
    ("{" + ",".join(f'"k{number}":1' for number in range(100_000)) + "}", JSON, {422}),
    ('{"labels":[' + ",".join(['"x"'] * 21) + f"],{TASK[1:]}", JSON, {422}),
    (titled('{"$ref":"x"}'), JSON, {422}),
    (titled('["a"]'), JSON, {422}),
    (titled("null"), JSON, {422}),
    (titled("true"), JSON, {422}),
    ("{'title':'t'}", JSON, {400}),
    ('{"title":"t",}', JSON, {400}),
    ("/*x*/" + TASK, JSON, {400}),
    (TASK, {"Content-Type": "text/json"}, {415}),
    (TASK, {"Content-Type": "application/xml"}, {415}),
]


def test_a_body_that_explodes_is_refused_in_a_sentence(api: Api) -> None:
    wrong = []
    for number, (data, headers, expected) in enumerate(BOMBS):
        answer = api("POST", "/tasks", data=data, headers=headers)
        if answer.status_code not in expected or not answer.json["detail"] or len(answer.text) > 5000:
            wrong.append((number, str(data)[:60], answer.status_code, answer.text[:100]))
    assert wrong == []
    assert raw().execute("SELECT count(*) FROM task").fetchone() == (0,)


QUERIES: list[tuple[str, dict[str, str]]] = [
    ("/tasks", {"limit": "-1"}),
    ("/tasks", {"limit": "1e3"}),
    ("/tasks", {"cursor": "A" * 3000}),
    ("/tasks", {"cursor": "\0"}),
    ("/tasks", {"events": "9" * 10}),
    ("/tasks", {"status": "running,nonsense"}),
    ("/tasks", {"q": "x" * 501}),
    ("/tasks/{id}/events", {"after": str(2**63)}),
    ("/tasks/{id}/events", {"after": "-1"}),
    ("/tasks/{id}/events", {"before": "NaN"}),
    ("/tasks/{id}/events", {"wait": "inf"}),
    ("/tasks/{id}/events", {"kind": "'; DROP TABLE task; --"}),
    ("/costs", {"since": "2026-02-30"}),
    ("/costs", {"by": "1; DROP TABLE task"}),
    ("/runner-sessions", {"cursor": "9" * 500}),
]


def test_a_query_out_of_bounds_is_refused_in_a_sentence(api: Api) -> None:
    task = api.new()
    answers = {
        (path, str(query)): api.get(path.replace("{id}", task["id"]), query_string=query)
        for path, query in QUERIES
    }
    assert {
        asked: answer.status_code for asked, answer in answers.items() if answer.status_code not in (400, 422)
    } == {}


FORGED = [
    "a\nERROR openruntime: forged", "a\r\nforged", "\x1b[2J\x1b[31mforged", "%s%n%(x)d", "{0.__class__}{x}", "\u2028forged",
    '{"level":"error","msg":"forged"}', "x" * 100_000, "a\x00b", "a\x85forged",
]  # fmt: skip


def test_nothing_a_caller_sends_makes_a_line_of_the_log(
    api: Api, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """Where something of theirs is logged at all, it is one line without control characters."""
    caplog.set_level(logging.INFO)
    for text in FORGED:
        api.new(title=text.replace("\0", "")[:900], prompt=text, labels=["x"])
        api.get("/nowhere/" + re.sub(r"[\0\r\n]", "", text)[:2000])
        api.get("/tasks", query_string={"q": text[:400], "status": text[:400]})
        header = re.sub(r"[\r\n]", " ", text)[:2000].encode("latin-1", "replace").decode("latin-1")
        api.get("/tasks", headers={"User-Agent": header, "Referer": header, "Idempotency-Key": header})
    told = [record.getMessage() for record in caplog.records]
    assert not [line for line in told if "forged" in line]
    assert not [line for line in told if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line)]


def test_what_goes_wrong_inside_is_logged_without_the_callers_words_in_control(
    app: Application, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str) -> str:
        raise RuntimeError("marrow")

    app.add_url_rule("/broken/<text>", "broken", authority(Authority.OWNER)(broken))
    answer = api.get("/broken/a%0aERROR%20forged%1b[2J")
    assert answer.status_code == 500
    assert "marrow" not in answer.text
    (record,) = [record for record in caplog.records if "while serving" in record.getMessage()]
    head, *trace = masking.Formatter("%(levelname)s %(message)s").format(record).split("\n")
    assert head.startswith("ERROR error ")
    assert head.endswith(r"GET /broken/a\x0aERROR forged\x1b[2J")
    assert trace
    assert all(line.startswith("  ") for line in trace)
    assert "\x1b" not in "".join(trace)


def test_tokens_stand_in_no_log(api: Api, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = api.post("/tokens", {"name": "x"}).json["token"]
    link = api.post("/login/links").json["url"].partition("#token=")[2]
    for secret in (made, link, api.token):
        client.get("/tasks", headers={"Host": HOST, "Authorization": f"Bearer {secret}"})
        client.get("/tasks", headers={"Host": HOST, "Authorization": f"Basic {secret}"})
        client.post("/login", json={"token": secret}, headers={"Host": HOST})
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert not [secret for secret in (made, link, api.token) if secret in said]


LIKES = [
    "%",
    "_",
    "\\",
    "a%b",
    "a_b",
    "'",
    '"',
    "''",
    "%' OR 1=1 --",
    "NEAR(a b)",
    "a* OR b",
    '"unbalanced',
    "(",
    ")",
    "^a",
]


def test_what_is_searched_for_is_meant_literally(api: Api) -> None:
    """S19: in SQL's patterns and a search engine's operators."""
    for text in LIKES:
        api.new(title=f"task {text} here")
    other: Any = api.new(title="plain")
    for text in LIKES:
        found = api.get("/tasks", query_string={"q": text})
        assert found.status_code == 200
        titles = [task["title"] for task in found.json]
        assert titles, text
        assert all(text.lower() in title.lower() for title in titles), (text, titles)
        events = api.get(f"/tasks/{other['id']}/events", query_string={"q": text})
        assert events.status_code == 200, text
        assert [event for event in events.json if text not in event["message"]] == []
        assert api.get("/runner-sessions", query_string={"q": text}).status_code == 200


def test_a_long_pattern_takes_no_time(api: Api) -> None:
    task = api.new(prompt="a" * 200_000)
    began = time.process_time()
    for text in ("%a" * 250, "_" * 500, "(a+)+$" * 80, "a" * 500):
        assert api.get("/tasks", query_string={"q": text}).status_code == 200
        assert api.get(f"/tasks/{task['id']}/events", query_string={"q": text}).status_code == 200
    assert time.process_time() - began < 2
