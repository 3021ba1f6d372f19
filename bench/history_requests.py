"""The requests of `bench.history`: pages and API pages with filters, alone and combined, first and deep."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

PEOPLE = {"member": "seed-1", "reader": "seed-4", "single": "seed-5", "administrator": "bench-admin"}
"""Who asks. The reader's team reads first and sees results afterwards; the single one has no team."""

DAYS = 3 * 365
RESULTS = (
    *("glioma", "meningioma", "notumor", "pituitary", "tumor", "uncertain", "not_brain_mri", "sealed", "waiting"),
    "failed",
)
READINGS = ("glioma", "meningioma", "notumor", "pituitary", "tumor", "other_disease")
WORDS = (
    "resection",
    "sellar",
    "tail",
    "P-01",
    "P-011-0001",
    "screening cystic",
    "Ada",
    "Brandt",
    "zebra",
    "follow-up P-0",
)
FREQUENT = ("cystic", "resection", "Convexity", "P-0", "Ada cystic")
RARE = (
    ("result", "failed"),
    ("result", "not_brain_mri"),
    ("result", "reviewed-other_disease"),
    ("finding", "tumor"),
    ("finding", "pituitary"),
    ("outcome", "uncertain"),
    ("state", "cancelled"),
)
"""Filters that few scans pass, with frequent words: neither the words nor the filters alone find a page fast."""
ADMIN = ("scan", "analysis", "user", "team", "workerprocess")


def requests_of(person: str, *, number: int, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """Yield person, kind, and path of about `number` requests of each kind."""
    if person == "administrator":
        for name in ADMIN:
            for _ in range(max(1, number // 10)):
                yield person, "administration, lists", f"/admin/classifier/{name}/"
                yield person, "administration, later pages", f"/admin/classifier/{name}/?p={rng.randint(2, 40)}"
    share = max(1, number // 4)
    for _ in range(share):
        yield person, "upload page", "/"
        yield person, "recent scans", "/?part=recent"
        yield person, "history, first page", "/scans/"
        yield person, "history, deep page", _url("/scans/", {"cursor": _cursor(rng)})
        yield person, "uploads, first page", "/batches/"
        yield person, "uploads, deep page", _url("/batches/", {"cursor": _cursor(rng)})
        yield person, "needs attention", "/attention/"
        yield person, "reports", "/reports/"
        yield person, "API, first page", "/api/v1/scans/"
        yield person, "API, deep page", _url("/api/v1/scans/", {"cursor": _cursor(rng)})
        yield person, "API, uploads", "/api/v1/batches/"
        yield person, "statistics", _url("/statistics/", _period(rng))
        yield person, "API, statistics", _url("/api/v1/statistics/", _period(rng))
        yield person, "models in use", "/models/in-use/"
        yield person, "API, models in use", "/api/v1/models/in-use/"
        yield person, "models", "/models/"
        yield person, "disagreements", "/models/disagreements/"
        yield person, "teams", "/teams/"
        yield person, "next unread scan", "/scans/unread/"
        yield person, "notifications", "/notifications/"
        yield person, "API, notifications", "/api/v1/notifications/"
        yield person, "profile", "/profile/"
        for name, path, parts in (
            ("history", "/scans/", _page_filters(rng)),
            ("API", "/api/v1/scans/", _api_filters(rng)),
        ):
            single, value = rng.choice(sorted(parts.items()))
            yield person, f"{name}, one filter", _url(path, {single: value})
            yield person, f"{name}, one filter, deep", _url(path, {single: value, "cursor": _cursor(rng)})
            some = dict(rng.sample(sorted(parts.items()), rng.randint(2, 4)))
            yield person, f"{name}, several filters", _url(path, some)
            yield person, f"{name}, several filters, deep", _url(path, some | {"cursor": _cursor(rng)})
        frequent = {"text": rng.choice(FREQUENT)} | dict([rng.choice(RARE)])
        yield person, "history, frequent word and rare result", _url("/scans/", frequent)
        yield person, "history, text search", _url("/scans/", {"text": rng.choice(WORDS)})
        yield person, "API, text search", _url("/api/v1/scans/", {"text": rng.choice(WORDS)})


def _period(rng: random.Random) -> dict[str, str]:
    """Return filters of the statistics: none, a period, a model version, or both."""
    after = rng.randint(1, DAYS)
    filters = {"uploaded_after": _day(after), "uploaded_before": _day(rng.randint(0, after)), "model": "xception:1"}
    return dict(rng.sample(sorted(filters.items()), rng.randint(0, 3)))


def _page_filters(rng: random.Random) -> dict[str, str]:
    return {
        "result": rng.choice(RESULTS),
        "finding": rng.choice(READINGS),
        "state": rng.choice(("queued", "running", "succeeded", "failed", "cancelled")),
        "whose": rng.choice(("mine", "1", "4")),
        **_common(rng),
    }


def _api_filters(rng: random.Random) -> dict[str, str]:
    return {
        "finding": rng.choice(READINGS),
        "outcome": rng.choice(("classified", "uncertain", "not_brain_mri")),
        "state": rng.choice(("queued", "running", "succeeded", "failed", "cancelled")),
        "mine": rng.choice(("true", "false")),
        **_common(rng),
    }


def _common(rng: random.Random) -> dict[str, str]:
    after = rng.randint(1, DAYS)
    return {
        "patient_reference": rng.choice(
            (f"P-011-{rng.randrange(9000):06d}", f"p-01-{rng.randrange(9000):06d}", "none")
        ),
        "model": rng.choice(("xception", "xception-1", "unknown")),
        "uploaded_after": _day(after),
        "uploaded_before": _day(rng.randint(0, after)),
        "text": rng.choice(WORDS),
    }


def _day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).date().isoformat()


def _cursor(rng: random.Random) -> str:
    """Return the cursor of a page anywhere in the history."""
    from classifier.selectors.lists.criteria import Place

    at = datetime.now(UTC) - timedelta(days=DAYS * rng.random())
    return Place(at, UUID(int=rng.getrandbits(128)), newer=False).encode()


def _url(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}"
