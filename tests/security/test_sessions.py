"""S4, S5, S8 and S9: streams and cookies of other origins and ports, guessing, and how a sign-in ends."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta

from shared.access import accounts
from shared.clock import now
from shared.config import from_env
from shared.store.models import Login, LoginLink, Task
from tests.installation import Installation
from tests.integration.web.conftest import Ws
from tests.security.wire import ask, request

TASK = b'{"title":"t","prompt":"p","runner":"shell","command":"true"}'


def jar(site: Installation, cookie: str) -> str:
    return f"openruntime_{site.address.rpartition(':')[2]}={cookie}"


def origins(site: Installation) -> list[str]:
    host, port = site.address.rsplit(":", 1)
    return [
        "null", "", " ", "https://evil.example", f"http://{host}:{int(port) + 1}", f"http://{host}", f"https://{site.address}",
        f"http://{site.address}.evil.example", f"http://{site.address}/", f"http://{site.address}@evil.example",
        f"HTTP://{site.address}", f"http://evil.example/{site.address}", f"ws://{site.address}", "file://",
        f"http://{site.address} http://evil.example", f"http://127.1:{port}", f"http://localhost.:{port}",
        f"http://localhost.evil.example:{port}", "chrome-extension://abc", f"http://[::ffff:127.0.0.1]:{port}",
    ]  # fmt: skip


def test_a_stolen_cookie_opens_no_stream_and_writes_nothing_from_elsewhere(site: Installation) -> None:
    """A dev server of an agent on another port gets our cookie (cookies ignore ports) and plays it back."""
    cookie, csrf = accounts.sign_in()
    wrong = []
    for origin in origins(site):
        with Ws(site.address, {"Cookie": jar(site, cookie), "Origin": origin or "\t"}) as ws:
            if ws.status != 403:
                wrong.append((origin, "stream", ws.status))
        headers = [f"Host: {site.address}", f"Cookie: {jar(site, cookie)}", f"Origin: {origin}"]
        json = ["Content-Type: application/json", f"X-CSRF-Token: {csrf}"]
        status, whole = ask(site, request("POST", "/tasks", *headers, *json, body=TASK))
        if status != 403 or b"Access-Control" in whole:
            wrong.append((origin, "write", status))
        status, whole = ask(site, request("GET", "/tasks", *headers))
        if status != 403 or b"Access-Control" in whole:
            wrong.append((origin, "read", status))
    assert wrong == []
    assert Task.select().count() == 0
    with Ws(site.address, {"Cookie": jar(site, cookie)}) as ws:
        assert ws.status == 403  # a browser always says where a socket comes from


def test_a_cookie_of_another_installation_is_not_ours(site: Installation) -> None:
    cookie, _ = accounts.sign_in()
    port = int(site.address.rpartition(":")[2])
    for name in (f"openruntime_{port + 1}", "openruntime", f"OPENRUNTIME_{port}", "session"):
        status, _ = ask(site, request("GET", "/tasks", f"Host: {site.address}", f"Cookie: {name}={cookie}"))
        assert status == 401


def get(site: Installation, *headers: str) -> int:
    return ask(site, request("GET", "/tasks", f"Host: {site.address}", *headers))[0]


def test_signing_out_ends_every_tab_of_that_browser_and_no_other(site: Installation) -> None:
    (cookie, csrf), (other, _) = accounts.sign_in(), accounts.sign_in()
    own = f"http://{site.address}"
    mine, theirs = (f"Cookie: {jar(site, value)}" for value in (cookie, other))
    tabs = [
        Ws(site.address, {"Cookie": jar(site, value), "Origin": own}) for value in (cookie, cookie, other)
    ]
    try:
        assert [ws.status for ws in tabs] == [101] * 3
        leave = request(
            "POST", "/logout", f"Host: {site.address}", mine, f"Origin: {own}", f"X-CSRF-Token: {csrf}"
        )
        began = time.monotonic()
        status, whole = ask(site, leave)
        assert status == 204
        assert b"Max-Age=0" in whole or b"Expires=Thu, 01 Jan 1970" in whole
        assert (get(site, mine), get(site, theirs)) == (401, 200)
        assert [ws.end() for ws in tabs[:2]] == [1008, 1008]
        assert time.monotonic() - began < 5
        tabs[2].send({"ping": 1})
        assert tabs[2].until("pong")
    finally:
        for ws in tabs:
            ws.socket.close()


def test_an_open_stream_ends_with_its_authority(site: Installation) -> None:
    """A login that expires, one that is signed out elsewhere, and the owner's token when it is replaced."""
    (expired, _), (ended, _) = accounts.sign_in(), accounts.sign_in()
    file = site.data / "token"
    kept = file.read_text()
    owner, own = f"Bearer {kept.strip()}", f"http://{site.address}"
    tabs = [Ws(site.address, {"Cookie": jar(site, value), "Origin": own}) for value in (expired, ended)]
    tabs.append(Ws(site.address, {"Authorization": owner}))
    try:
        assert [ws.status for ws in tabs] == [101] * 3
        began = time.monotonic()
        row = accounts.login(expired)
        assert row is not None
        Login.update(expires_at=now() - timedelta(seconds=1)).where(Login.hash == row.hash).execute()
        accounts.sign_out_others(row)
        file.write_text("or_owner_another\n")
        assert [get(site, f"Cookie: {jar(site, value)}") for value in (expired, ended)] == [401, 401]
        assert get(site, f"Authorization: {owner}") == 401
        assert [ws.end() for ws in tabs] == [1008] * 3
        assert time.monotonic() - began < 5
    finally:
        file.write_text(kept)
        for ws in tabs:
            ws.socket.close()
    assert get(site, f"Authorization: {owner}") == 200


def test_a_cookie_is_never_what_the_browser_brought(site: Installation) -> None:
    """Session fixation: signing in makes a new secret, whatever stood in the jar."""
    body = b'{"token":"' + accounts.mint_link().encode() + b'"}'
    lines = [f"Host: {site.address}", f"Cookie: {jar(site, 'chosen')}", "Content-Type: application/json"]
    status, whole = ask(site, request("POST", "/login", *lines, body=body))
    assert status == 200
    cookie = whole.partition(jar(site, "").encode())[2].partition(b";")[0].decode()
    assert len(cookie) >= 43
    assert cookie != "chosen"
    assert get(site, f"Cookie: {jar(site, 'chosen')}") == 401
    assert get(site, f"Cookie: {jar(site, cookie)}") == 200


def test_a_link_is_over_after_five_minutes_and_its_secret_is_stored_nowhere(site: Installation) -> None:
    token = accounts.mint_link()
    assert LoginLink.get(LoginLink.hash == accounts.digest(token)).expires_at - now() <= timedelta(minutes=5)
    LoginLink.update(expires_at=now() - timedelta(seconds=1)).execute()
    lines = [f"Host: {site.address}", "Content-Type: application/json"]
    status, _ = ask(site, request("POST", "/login", *lines, body=b'{"token":"' + token.encode() + b'"}'))
    assert status == 401
    everything = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert token.encode() not in everything
    assert site.token.encode() not in everything.replace((site.data / "token").read_bytes(), b"")


def test_guessing_is_slowed_for_the_guesser_only(site: Installation) -> None:
    guesses = [get(site, f"Authorization: Bearer or_owner_{number}") for number in range(60)]
    assert guesses.count(401) <= 20
    assert guesses[-30:] == [429] * 30
    assert get(site, f"Authorization: Bearer {site.token}") == 200


def test_a_nearly_right_token_takes_as_long_as_a_wrong_one(site: Installation) -> None:
    config = from_env({"OPENRUNTIME_DATA": str(site.data)})
    near, far = site.token[:-1] + "!", "x" * len(site.token)
    times: dict[str, list[int]] = {near: [], far: []}
    for _ in range(2000):
        for guess, found in times.items():
            began = time.perf_counter_ns()
            assert not accounts.is_owner(config, guess)
            found.append(time.perf_counter_ns() - began)
    middle = [statistics.median(found) for found in times.values()]
    assert max(middle) / min(middle) < 1.2
