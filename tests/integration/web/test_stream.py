"""The live stream against a real server: nothing lost, nothing twice, nobody slowed down by another."""

from __future__ import annotations

import json
import random
import threading
import time

from shared import archive, deletion, tasks
from shared.store.models import Task
from tests.installation import Installation
from tests.integration.web.conftest import Ws, add, announce, bearer, open_ws
from tests.waiting import wait_until


def new(site: Installation) -> str:
    return str(site.create("true", site.home)["id"])


def test_a_subscriber_gets_history_then_live_events_exactly_once(site: Installation) -> None:
    task = new(site)
    add(task, *(f"old {n}" for n in range(1200)))
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}", "after": 100}]})
        assert ws.seqs(1201) == list(range(101, 1202))
        for n in range(20):
            add(task, f"new {n}")
        assert ws.seqs(1221) == list(range(1202, 1222))


def test_without_after_the_stream_begins_now(site: Installation) -> None:
    task = new(site)
    add(task, "old")
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}"}]})
        shown = ws.until("task")
        assert shown["task"]["id"] == task
        assert shown["task"]["event_count"] == 2
        assert not {"events", "attempts", "prompt", "policy", "effective_policy"} & set(shown["task"])
        add(task, "new")
        assert [event["message"] for event in ws.until("events")["events"]] == ["new"]


def test_an_event_looks_the_same_in_the_stream_and_in_the_api(site: Installation) -> None:
    task = new(site)
    add(task, 'é "quoted" \\ 😀\t')
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}", "after": 0}]})
        assert ws.until("events")["events"] == site.get(f"/tasks/{task}/events").body


def test_the_board_shows_tasks_that_are_made_and_changed(site: Installation) -> None:
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": "board"}], "ping": 7})
        assert ws.until("pong")["pong"] == 7
        task = new(site)
        seen = ws.until("task")
        while seen["task"]["id"] != task:  # tasks of the tests before may still be shown
            seen = ws.until("task")
        site.post(f"/tasks/{task}/stop")
        while (seen["task"]["id"], seen["task"]["status"]) != (task, "stopped"):
            seen = ws.until("task")
        assert (seen["topic"], seen["task"]["id"]) == ("board", task)


def test_nothing_is_lost_or_doubled_over_reconnects_under_load(site: Installation) -> None:
    task = new(site)
    total = 4000

    def write() -> None:
        from shared.store.database import close

        written = 0
        while written < total:
            count = min(random.randint(1, 40), total - written)
            add(task, *(f"line {written + n}" for n in range(count)))
            written += count
        close()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    connections = 0
    while len(seen) < total + 1:
        connections += 1
        with open_ws(site) as ws:
            after = seen[-1] if seen else 0
            ws.send({"sub": [{"topic": f"task:{task}", "after": after}]})
            for _ in range(random.randint(1, 12)):
                message = ws.message()
                if "events" in message:
                    seen += [event["seq"] for event in message["events"]]
                    if seen[-1] >= total + 1:
                        break
    writer.join()
    assert seen == list(range(1, total + 2))
    assert connections > 1


def test_a_topic_can_be_left_and_entered_again(site: Installation) -> None:
    task, other = new(site), new(site)
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}", "after": 0}, {"topic": f"task:{other}"}]})
        assert ws.seqs(1) == [1]
        ws.send({"unsub": [f"task:{task}"], "ping": 1})
        ws.until("pong")
        add(task, "unseen")
        add(other, "seen")
        assert ws.until("events")["topic"] == f"task:{other}"
        ws.send({"sub": [{"topic": f"task:{task}", "after": 1}]})
        assert ws.seqs(2) == [2]


def test_bad_messages_are_answered_and_the_socket_lives_on(site: Installation) -> None:
    with open_ws(site) as ws:
        for order, topic, status in [
            ({"sub": [{"topic": "task:00000000-0000-4000-8000-000000000000"}]}, True, 404),
            ({"sub": [{"topic": "task:xyz"}]}, True, 400),
            ({"sub": [{"topic": "nonsense"}]}, True, 400),
            ({"sub": [{"topic": "board", "after": -1}]}, True, 400),
            ({"sub": [{"topic": "board", "after": True}]}, True, 400),
            ({"sub": [{"topic": 7}]}, False, 400),
            ({"sub": "board"}, False, 400),
            (b"{", False, 400),
            (b"[]", False, 400),
            (b'{"ping":1,"ping":2}', False, 400),
        ]:
            ws.send(order)
            error = ws.until("error")["error"]
            assert error["status"] == status, order
            assert (error["topic"] is not None) is topic, order
        ws.send({"ping": "still here"})
        assert ws.until("pong")["pong"] == "still here"


def test_a_message_beyond_64_kib_closes_the_socket_with_1009(site: Installation) -> None:
    with open_ws(site) as ws:
        ws.send(b'"' + b"x" * 100_000 + b'"')
        assert ws.end() == 1009


def test_pings_in_between_do_not_mix_up_frames(site: Installation) -> None:
    """The defect of the stock stack (web.md 1.2): pongs landing inside large frames under back-pressure."""
    task = new(site)
    with open_ws(site, receive_bytes=4096) as ws:
        ws.send({"sub": [{"topic": f"task:{task}", "after": 0}]})
        stop = threading.Event()

        def ping() -> None:
            while not stop.wait(0.002):
                ws.raw(0x89, b"x")

        pinger = threading.Thread(target=ping)
        pinger.start()
        try:
            for n in range(60):
                add(task, f"{n}" + "y" * 50_000)
            assert ws.seqs(61) == list(range(1, 62))
        finally:
            stop.set()
            pinger.join()


def test_a_reader_that_stops_delays_nobody_and_is_cut(site: Installation) -> None:
    task = new(site)
    with open_ws(site, receive_bytes=4096) as slow, open_ws(site) as quick:
        for ws in (slow, quick):
            ws.send({"sub": [{"topic": f"task:{task}"}]})
            ws.until("task")
        worst = 0.0
        began = time.monotonic()
        seq = 1
        while time.monotonic() - began < 7:
            seq = add(task, *["z" * 60_000] * 20)
            at = time.monotonic()
            quick.seqs(seq)
            worst = max(worst, time.monotonic() - at)
        assert worst < 2
        assert site.get("/health").status == 200
        assert slow.end() == 1013


def test_a_reader_that_falls_behind_is_told_to_ask_again_and_misses_nothing(site: Installation) -> None:
    task = new(site)
    topic = f"task:{task}"
    with open_ws(site, receive_bytes=4096) as ws:
        ws.send({"sub": [{"topic": topic}]})
        ws.until("task")
        writer = threading.Thread(target=_flood, args=(task,))
        writer.start()
        seen, resyncs = [1], 0
        time.sleep(1.5)  # the pause is what is tested: everything in between overflows
        while len(seen) < 301:
            message = ws.message()
            if "events" in message:
                seen += [event["seq"] for event in message["events"]]
            if "resync" in message:
                resyncs += 1
                ws.send({"sub": [{"topic": topic, "after": seen[-1]}]})
        writer.join()
        assert seen == list(range(1, 302))
        assert resyncs >= 1


def _flood(task: str) -> None:
    from shared.store.database import close

    for _ in range(150):
        add(task, *["w" * 60_000] * 2)
    close()


def test_a_lost_ring_costs_a_second_at_most(site: Installation) -> None:
    from shared import doorbell

    task = new(site)
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}"}]})
        ws.until("task")
        doorbell.forget()
        add(task, "unannounced")
        at = time.monotonic()
        ws.until("events")
        assert time.monotonic() - at < 1.5
    announce(site)


def test_sockets_leave_threads_for_requests(site: Installation) -> None:
    held = [open_ws(site) for _ in range(48)]
    try:
        refused = Ws(site.address, bearer(site))
        assert refused.status == 503
        assert "Retry-After" in refused.head
        refused.socket.close()
        assert site.get("/health").status == 200
        held.pop().socket.close()

        def freed() -> bool:
            with Ws(site.address, bearer(site)) as again:
                return again.status == 101

        assert wait_until(freed, 10)
    finally:
        for ws in held:
            ws.socket.close()


def test_a_heartbeat_comes_when_nothing_else_does(site: Installation) -> None:
    with open_ws(site) as ws:
        assert "hb" in ws.until("hb", 15)


def test_a_client_is_never_sent_compressed_frames(site: Installation) -> None:
    with Ws(site.address, bearer(site, **{"Sec-WebSocket-Extensions": "permessage-deflate"})) as ws:
        assert ws.status == 101
        assert "permessage-deflate" not in ws.head
        ws.send({"ping": 1})
        assert json.dumps(ws.until("pong"))


def deleted(*ids: str) -> None:
    """Delete tasks as a worker does, once their files are gone."""
    for id in ids:
        deletion.hide(tasks.get(id))


def losses(ws: Ws) -> list[str]:
    """The topics of every deletion told until now."""
    ws.send({"ping": "now"})
    found: list[str] = []
    while "pong" not in (message := ws.message()):
        if "deleted" in message:
            assert message == {"topic": message["topic"], "deleted": True}
            found.append(message["topic"])
    return found


def test_a_deleted_task_is_told_on_its_topic_and_on_the_board(site: Installation) -> None:
    doomed, kept = new(site), new(site)
    topic = f"task:{doomed}"
    with open_ws(site) as board, open_ws(site) as reader, open_ws(site) as both, open_ws(site) as other:
        board.send({"sub": [{"topic": "board"}]})
        reader.send({"sub": [{"topic": topic, "after": 0}]})
        both.send({"sub": [{"topic": "board"}, {"topic": topic}]})
        other.send({"sub": [{"topic": f"task:{kept}"}]})
        for ws in (reader, both, other):
            ws.until("task")
        assert losses(board) == []
        deleted(doomed)
        for ws in (board, reader, both):
            assert ws.until("deleted") == {"topic": topic, "deleted": True}
        assert [losses(ws) for ws in (both, other)] == [[], []], "once, and to nobody else"
        reader.send({"sub": [{"topic": topic}]})
        assert reader.until("error")["error"]["status"] == 404


def test_deletions_beside_new_tasks_are_all_told(site: Installation) -> None:
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": "board"}]})
        doomed = [new(site) for _ in range(3)]
        while doomed[-1] != ws.until("task")["task"]["id"]:
            pass
        deleted(*doomed[:2])
        born = new(site)
        deleted(doomed[2])
        told = [ws.until("deleted")["topic"] for _ in doomed]
        assert told == [f"task:{id}" for id in doomed]
        assert site.get(f"/tasks/{born}").status == 200
        assert losses(ws) == []


def test_an_archived_task_is_shown_to_the_board_as_archived(site: Installation) -> None:
    task = new(site)
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": "board"}]})
        archive.set_archived(tasks.get(task), True)
        seen = ws.until("task")["task"]
        while (seen["id"], bool(seen["archived_at"])) != (task, True):
            seen = ws.until("task")["task"]


def test_deleted_and_new_rows_never_confuse_the_stream(site: Installation) -> None:
    """Positions of deleted rows are given again by SQLite; the stream goes by each task's own seq."""
    from shared.store.database import transaction

    task, doomed = new(site), new(site)
    with open_ws(site) as ws:
        ws.send({"sub": [{"topic": f"task:{task}", "after": 0}]})
        assert ws.seqs(1) == [1]
        add(doomed, *["x"] * 50)
        with transaction():
            Task.delete().where(Task.id == doomed).execute()
        add(task, "a", "b")
        assert ws.seqs(3) == [2, 3]
