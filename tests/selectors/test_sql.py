from datetime import UTC, datetime, timedelta, timezone

import pytest

from classifier.selectors.lists.sql import moment

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "stored",
    ["2026-07-01 12:00:00", NOON.replace(tzinfo=None), NOON, NOON.astimezone(timezone(timedelta(hours=5)))],
    ids=["text", "without a zone", "in UTC", "in another zone"],
)
def test_a_time_is_in_utc_however_the_database_returns_it(stored):
    assert moment(stored) == NOON
