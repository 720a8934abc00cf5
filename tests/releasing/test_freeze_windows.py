"""When a freeze holds: once or every week, in its own time zone, also on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bento_gitops.model.base import moment
from bento_gitops.model.rollout import Freeze
from bento_gitops.releasing.gates import DAYS, frozen_until, thaw
from hypothesis import example, given
from hypothesis import strategies as st

ONCE = Freeze(reason="launch", start="2026-12-24T00:00:00+01:00", end="2026-12-27T00:00:00+01:00")
FRIDAY = Freeze(reason="weekend", days=["fri"], hours=["15:00", "24:00"], zone="Europe/Berlin")
WEEKEND = Freeze(reason="weekend", days=["sat", "sun"], zone="Europe/Berlin")
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
"""When Berlin sets its clocks, at 01:00 UTC: from 02:00 to 03:00, and from 03:00 back to 02:00."""


@pytest.mark.parametrize(
    ("window", "now", "end"),
    [
        (ONCE, "2026-12-23T22:59:59Z", None),
        (ONCE, "2026-12-23T23:00:00Z", "2026-12-26T23:00:00Z"),
        (ONCE, "2026-12-26T22:59:59Z", "2026-12-26T23:00:00Z"),
        (ONCE, "2026-12-26T23:00:00Z", None),
        (FRIDAY, "2026-11-06T13:59:59Z", None),
        (FRIDAY, "2026-11-06T14:00:00Z", "2026-11-06T23:00:00Z"),
        (FRIDAY, "2026-11-06T22:59:59Z", "2026-11-06T23:00:00Z"),
        (FRIDAY, "2026-11-06T23:00:00Z", None),
        (FRIDAY, "2026-07-03T13:00:00Z", "2026-07-03T22:00:00Z"),
        (FRIDAY, "2026-07-03T12:59:59Z", None),
        (WEEKEND, "2026-11-06T22:59:59Z", None),
        (WEEKEND, "2026-11-06T23:00:00Z", "2026-11-07T23:00:00Z"),
        (Freeze(reason="every day", days=["mon"]), "2026-11-02T23:59:59Z", "2026-11-03T00:00:00Z"),
        (Freeze(reason="every day", days=["mon"]), "2026-11-03T00:00:00Z", None),
    ],
)
def test_a_window_holds_from_its_start_to_just_before_its_end(window: Freeze, now: str, end: str | None) -> None:
    found = frozen_until(window, moment(now))
    assert (found and found.astimezone(UTC)) == (end and moment(end))


def test_a_weekend_thaws_on_monday_and_not_at_midnight() -> None:
    end = thaw([WEEKEND, FRIDAY], moment("2026-11-06T14:30:00Z"))
    assert end is not None
    assert f"{end:%Y-%m-%d %H:%M %Z}" == "2026-11-09 00:00 CET"


def test_a_day_on_which_clocks_change_is_frozen_as_a_whole() -> None:
    sunday = Freeze(reason="sunday", days=["sun"], zone="Europe/Berlin")
    for midnight, hours in ((SPRING - timedelta(hours=1), 23), (AUTUMN - timedelta(hours=2), 25)):
        frozen = [frozen_until(sunday, midnight + timedelta(hours=hour)) is not None for hour in range(-1, 26)]
        assert frozen == [False, *([True] * hours), *([False] * (26 - hours))]


def test_an_hour_that_comes_twice_is_frozen_twice() -> None:
    window = Freeze(reason="night", days=["sun"], hours=["02:00", "02:30"], zone="Europe/Berlin")
    midnight = AUTUMN - timedelta(hours=2)
    frozen = [quarter for quarter in range(24) if frozen_until(window, midnight + timedelta(minutes=15 * quarter))]
    assert frozen == [8, 9, 12, 13]
    first, second = (frozen_until(window, midnight + timedelta(minutes=15 * quarter)) for quarter in (9, 13))
    assert first is not None
    assert second is not None
    assert f"{first:%H:%M %Z} {second:%H:%M %Z}" == "02:30 CEST 02:30 CET"
    assert thaw([window], midnight + timedelta(minutes=15 * 13)) == second


def test_an_hour_that_does_not_come_freezes_nothing() -> None:
    window = Freeze(reason="night", days=["sun"], hours=["02:00", "03:00"], zone="Europe/Berlin")
    assert not any(frozen_until(window, SPRING + timedelta(minutes=minute)) for minute in range(0, 180, 5))


def test_a_freeze_of_every_day_is_told_a_year_ahead() -> None:
    end = thaw([Freeze(reason="always", days=list(DAYS))], moment("2026-11-02T10:00:00Z"))
    assert end is not None
    assert end > moment("2027-11-02T10:00:00Z")


CLOCK = st.tuples(st.integers(0, 23), st.sampled_from([0, 30])).map(lambda at: f"{at[0]:02}:{at[1]:02}")
HOURS = st.none() | st.tuples(CLOCK, CLOCK | st.just("24:00")).filter(lambda pair: pair[0] < pair[1]).map(list)
WINDOWS = st.lists(
    st.builds(
        Freeze,
        reason=st.just("a freeze"),
        days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=3),
        hours=HOURS,
        zone=st.sampled_from([None, "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    ),
    min_size=1,
    max_size=3,
)


def _frozen(window: Freeze, now: datetime) -> bool:
    """By what a clock on a wall in that zone shows."""
    shown = now.astimezone(ZoneInfo(window.zone or "UTC"))
    begin, end = window.hours or ["00:00", "24:00"]
    return f"{shown:%a}".lower() in (window.days or []) and begin <= f"{shown:%H:%M}" < end


@given(WINDOWS, st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 10), timezones=st.just(UTC)))
@example([Freeze(reason="night", days=["sun"], hours=["00:00", "02:30"], zone="Europe/Berlin")], SPRING)
def test_frozen_is_what_a_clock_on_the_wall_says(windows: list[Freeze], now: datetime) -> None:
    assert [frozen_until(window, now) is not None for window in windows] == [_frozen(window, now) for window in windows]
    end = thaw(windows, now)
    assert (end is not None) == any(_frozen(window, now) for window in windows)
    if end is not None:
        assert not any(_frozen(window, end) for window in windows)
        assert end.astimezone(UTC) > now
