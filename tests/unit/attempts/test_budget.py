"""The work clock: waiting for a person costs nothing."""

from __future__ import annotations

import pytest

from workers.shim import budget
from workers.shim.budget import WorkClock


class Time:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_pauses_are_not_counted_and_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    monkeypatch.setattr(budget, "time", time)
    clock = WorkClock(10.0)
    assert clock.ends_at == 110.0
    time.now += 4
    clock.pause("a")
    clock.pause("b")
    time.now += 50
    clock.resume("a")
    assert clock.paused
    assert clock.ends_at is None
    clock.resume("b")
    clock.resume("b")
    assert clock.ends_at == time.now + 6
    time.now += 1
    assert clock.worked_seconds == 5.0
    clock.stop()
    time.now += 9
    assert clock.worked_seconds == 5.0
