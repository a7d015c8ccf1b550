"""Groups on the board: one card for several tasks of one goal, where the most urgent of them is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from shared.clock import now
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from tests.unit.web.test_groups import made

VARIANTS = [{"runner": "shell"}, {"runner": "codex", "model": "m-1"}, {"runner": "shell"}]


def put(task: dict[str, Any], status: Status, **fields: Any) -> None:
    with transaction():
        Task.update(status=status, **fields).where(Task.id == task["id"]).execute()


def column(page: str, key: str) -> str:
    return page.partition(f'id="column-{key}"')[2].partition("</section>")[0]


def standing(page: str) -> dict[str, str]:
    """The column of each card that stands by itself, by the card's id."""
    found = {}
    for key in ("needs", "queued", "running", "review", "done", "ended"):
        depth = 0
        for tag in re.findall(r'<ul|</ul>|<li class="card[^>]*id="[^"]+"', column(page, key)):
            depth += {"<ul": 1, "</ul>": -1}.get(tag, 0)
            if depth == 1 and tag.startswith("<li"):
                found[tag.rpartition('id="')[2].rstrip('"')] = key
    return found


def count_of(page: str, key: str) -> int:
    return int(re.findall(r"data-count>(\d+)<", column(page, key))[0])


def test_a_group_is_one_card_where_its_most_urgent_task_is(visitor: Visitor, api: Api) -> None:
    group = made(api, title="Race <b>", variants=VARIANTS)
    first, second, third = group["tasks"]
    alone = api.new()["id"]
    page = visitor.get("/").text
    assert standing(page) == {f"card-group-{group['id']}": "queued", f"card-{alone}": "queued"}
    assert count_of(page, "queued") == 2
    for task, status, key, tally in (
        (first, Status.RUNNING, "running", ["1 runs", "2 wait"]),
        (second, Status.READY_FOR_REVIEW, "review", ["1 ready", "1 runs", "1 waits"]),
        (third, Status.NEEDS_INPUT, "needs", ["1 needs you", "1 ready", "1 runs"]),
    ):
        put(task, status)
        page = visitor.get("/").text
        assert standing(page)[f"card-group-{group['id']}"] == key
        assert count_of(page, key) == 1
        tallied = column(page, key).partition('class="tally"')[2].partition("</p>")[0]
        assert re.findall(r'<span class="state \w+">([^<]+)</span>', tallied) == tally
    assert "Race &lt;b&gt;" in page
    assert f'href="/ui/groups/{group["id"]}"' in page
    #: The one that asks is at hand, the others are folded; each has its own card, once.
    open_part, folded = column(page, "needs").split('<details class="folded"')
    assert f'id="card-{third["id"]}"' in open_part
    assert folded.count('<li class="card') == 2
    assert "2. Codex · m-1" in folded


def test_a_search_that_means_one_task_shows_that_task(visitor: Visitor, api: Api) -> None:
    group = made(api, variants=VARIANTS)
    second = group["tasks"][1]["id"]
    assert standing(visitor.get("/?runner=codex").text) == {f"card-{second}": "queued"}
    assert standing(visitor.get(f"/?q={second[:13]}").text) == {f"card-{second}": "queued"}
    assert standing(visitor.get("/?q=Try").text) == {f"card-group-{group['id']}": "queued"}
    shown = visitor.get("/?runner=shell").text
    assert standing(shown) == {f"card-group-{group['id']}": "queued"}
    assert f'id="card-{second}"' not in shown


def test_after_the_pick_the_picked_task_stands_by_itself(visitor: Visitor, api: Api) -> None:
    group = made(api)
    kept, other, _ = (task["id"] for task in group["tasks"])
    assert f'id="card-group-{group["id"]}"' in visitor.get(f"/ui/cards/{other}").text
    api.post(f"/groups/{group['id']}/pick", {"task_id": kept})
    assert standing(visitor.get("/").text) == {f"card-{kept}": "queued"}
    #: Whoever hears of the one that was put away is told what stands there instead.
    assert f'id="card-{kept}"' in visitor.get(f"/ui/cards/{other}").text
    archived = standing(visitor.get("/?archived=1").text)
    assert set(archived) == {f"card-{task['id']}" for task in group["tasks"][1:]}
    assert visitor.get(f"/ui/cards/{kept}?archived=1").status_code == 204
    api.post(f"/tasks/{kept}/archive")
    assert visitor.get(f"/ui/cards/{other}").status_code == 204


def test_a_task_done_long_ago_stays_with_its_group_as_long_as_that_is_shown(
    visitor: Visitor, api: Api
) -> None:
    group = made(api)
    first, second, third = group["tasks"]
    long_ago = now() - timedelta(days=3)
    put(first, Status.COMPLETED, updated_at=long_ago)
    put(second, Status.COMPLETED, updated_at=long_ago)
    put(third, Status.RUNNING)
    page = visitor.get("/").text
    assert standing(page) == {f"card-group-{group['id']}": "running"}
    assert "2 done" in column(page, "running")
    put(third, Status.COMPLETED, updated_at=long_ago)
    assert standing(visitor.get("/").text) == {}
    assert visitor.get(f"/ui/cards/{first['id']}").status_code == 204
    assert standing(visitor.get("/?done=all").text) == {f"card-group-{group['id']}": "done"}


def test_the_card_says_which_change_is_smallest_how_many_pass_and_what_all_cost(
    visitor: Visitor, api: Api
) -> None:
    first, second, third = made(api)["tasks"]
    stat = "a.txt | 2 +-\n {} files changed, {} insertions(+), 1 deletion(-)\n"
    checked = {"name": "verify", "mode": "required", "score": None, "note": None}
    put(first, Status.READY_FOR_REVIEW, diff_stat=stat.format(4, 90), ledger={"cost_micros": 500_000},
        checks=[{**checked, "state": "passed"}])  # fmt: skip
    put(second, Status.READY_FOR_REVIEW, diff_stat=stat.format(2, 7), ledger={"cost_micros": 340_000},
        checks=[{**checked, "state": "failed"}])  # fmt: skip
    put(third, Status.FAILED)
    shown = re.sub(r"<[^>]+>", "", column(visitor.get("/").text, "review"))
    assert "from +7 −1 in 2 files" in shown
    assert "1 of 2 pass the checks" in shown
    assert "$0.84" in shown


def test_groups_and_tasks_stand_in_one_order(visitor: Visitor, api: Api) -> None:
    first = made(api)
    alone = api.new()
    last = made(api, title="Later")
    moments = {first["tasks"][2]["id"]: 30, alone["id"]: 20, last["tasks"][0]["id"]: 10}
    for id, minutes in moments.items():
        put({"id": id}, Status.NEEDS_INPUT, updated_at=now() - timedelta(minutes=minutes))
    wanted = [f"card-group-{first['id']}", f"card-{alone['id']}", f"card-group-{last['id']}"]
    assert list(standing(visitor.get("/").text)) == wanted


def test_what_a_folded_task_refuses_is_said_where_it_can_be_seen(visitor: Visitor, api: Api) -> None:
    first = made(api)["tasks"][0]["id"]
    put({"id": first}, Status.READY_FOR_REVIEW)
    answer = visitor.send(f"/ui/tasks/{first}/stop", {"back": "/"})
    assert answer.status_code == 409
    unfolded = re.findall(r'<details class="folded" id="[^"]+" open>(.*?)</details>', answer.text, re.DOTALL)
    assert 'role="alert"' in unfolded[0]
    assert "open>" not in visitor.get("/").text.partition('class="folded"')[2][:80]
