"""Read events in their order, each once, from where the last reading ended."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from classifier.models import Event, EventCursor

# Events read in one transaction. It is short, so that it holds up no other writer on SQLite.
CHUNK = 200
# On PostgreSQL a transaction may commit after a later one that has higher identifiers. A missing identifier is waited
# for until the next event is older than this; then its transaction was rolled back.
GAP_SECONDS = 60


def read_events(name: str, handle: Callable[[list[Event]], None], *, from_now_on: bool = False) -> int:
    """Pass new events to a function. Return how many there were.

    The cursor and what the function writes are stored in one transaction, and the row of the cursor is locked
    meanwhile: two workers, or one that dies in between, neither skip an event nor handle one twice.

    Args:
        name: the reader, which has a cursor of its own.
        handle: gets up to `CHUNK` events, the oldest first.
        from_now_on: whether a new reader skips the events that are there already.
    """
    total = 0
    while (read := _read_chunk(name, handle, from_now_on)) == CHUNK:
        total += read
    return total + read


def _read_chunk(name: str, handle: Callable[[list[Event]], None], from_now_on: bool) -> int:
    with transaction.atomic():
        newest = (Event.objects.aggregate(newest=Max("pk"))["newest"] or 0) if from_now_on else 0
        EventCursor.objects.get_or_create(name=name, defaults={"event_id": newest})
        cursor = EventCursor.objects.select_for_update().get(name=name)
        events = list(_settled(Event.objects.filter(pk__gt=cursor.event_id).order_by("pk")[:CHUNK], cursor.event_id))
        if not events:
            return 0
        handle(events)
        cursor.event_id = events[-1].pk
        cursor.save(update_fields=["event_id"])
    return len(events)


def _settled(events: Iterable[Event], last: int) -> Iterator[Event]:
    """Yield events up to the first gap that may still be filled."""
    limit = timezone.now() - timedelta(seconds=GAP_SECONDS)
    for event in events:
        if event.pk != last + 1 and event.at > limit:
            return
        yield event
        last = event.pk
