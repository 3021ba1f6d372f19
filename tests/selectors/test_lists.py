"""Lists through indexes: the same scans, in the same order, as the plain queries say, whatever is combined."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier.findings import ANSWERS, READINGS, Outcome
from classifier.models import Analysis, Batch, BatchFile, Impression, Membership, Review, Scan, ScanCount, Team, User
from classifier.selectors.batch import BatchList, batch_counts, batch_entries, counts_of_batches, visible_batches
from classifier.selectors.history import dashboard
from classifier.selectors.lists import find, ranges
from classifier.selectors.lists.criteria import Criteria, Place
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.selectors.lists.text import FtsSearch, TrigramSearch
from classifier.selectors.review import next_unread, unread_count, unread_scans
from classifier.selectors.scan import visible_scans
from classifier.services.batch import open_batch
from classifier.services.scan_counts import check_counts, merge_counts
from classifier.web.filters import RESULTS, HistoryFilter
from tests.factories import TeamFactory, UserFactory, join, make_scan

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEALED = NOON + timedelta(days=20)
WORDS = ("cystic", "left temporal", "P-1", "ty", "P-12", "ada", "zebra", "ada cystic", "100%", 'say "no"')


@pytest.fixture
def crowd() -> list[User]:
    """Five people in overlapping teams, one of which seals results; a person who left a team; 160 scans."""
    rng = random.Random(3)
    people = [UserFactory(username=f"person{n}", first_name=("Ada", "Ben")[n % 2]) for n in range(5)]
    open_team, sealed_team, left = TeamFactory(name="Open"), TeamFactory(name="Sealed"), TeamFactory(name="Left")
    join(open_team, *people[:3])
    join(sealed_team, *people[1:4])
    join(left, people[4])
    Team.objects.filter(pk=sealed_team.pk).update(sealed_reading_since=SEALED)
    User.objects.filter(pk=people[2].pk).update(sealed_reading_since=SEALED + timedelta(days=5))
    for number in range(160):
        owner = rng.choice(people)
        team = rng.choice([None, open_team, sealed_team, left])
        _scan(rng, owner, team, NOON + timedelta(hours=6 * (number // 2)), rng.choice(people))
    return [User.objects.get(pk=person.pk) for person in people]


def _scan(rng: random.Random, owner: User, team: Team | None, at: datetime, reader: User) -> None:
    scan = Scan.objects.create(
        owner=owner,
        team=team,
        width=80,
        height=80,
        source_format="PNG",
        patient_reference=rng.choice(("", "P-1", "p-1", "P-12", "ty")),
        notes=rng.choice(("", "cystic, left temporal", 'they say "no"', "100% certain")),
        reviewed_finding=rng.choice(("", "", "glioma", "other_disease")),
    )
    state = rng.choice(("queued", "running", "failed", "cancelled", "succeeded", "succeeded", "succeeded", ""))
    if state:
        _analysis(rng, scan, state, at)
    Scan.objects.filter(pk=scan.pk).update(created_at=at)
    if rng.random() < 0.3:
        number = Impression.objects.filter(reader=reader).count() + 1
        Impression.objects.create(scan=scan, reader=reader, number=number, finding="glioma", certainty="low", hash="0")
    if rng.random() < 0.2 and scan.current_analysis:
        for number, reviewer in enumerate(rng.choice(([owner], [owner, reader], [owner, reader, owner])), 1):
            finding = rng.choice(("", *READINGS))
            Review.objects.create(
                scan=scan, analysis=scan.current_analysis, reviewer=reviewer, number=number, verdict="agree",
                finding=finding, certainty="low",
            )  # fmt: skip


def _analysis(rng: random.Random, scan: Scan, state: str, at: datetime) -> None:
    fields = {"state": state, "available_at": at, "model_name": rng.choice(("xception", "other"))}
    if state == "running":
        fields |= {"lease_token": "0" * 32, "lease_expires_at": at}
    if state == "failed":
        fields |= {"failure_message": "It stopped."}
    if state == "succeeded":
        outcome = rng.choice([Outcome.CLASSIFIED, Outcome.CLASSIFIED, Outcome.UNCERTAIN, Outcome.NOT_BRAIN_MRI])
        fields |= {"outcome": outcome, "finding": rng.choice(ANSWERS) if outcome == Outcome.CLASSIFIED else ""}
        fields |= {"probabilities": None if outcome == Outcome.NOT_BRAIN_MRI else [0.25] * 4}
    scan.current_analysis = Analysis.objects.create(scan=scan, **fields)
    scan.save(update_fields=["current_analysis"])


def filters(user: User, **query: str) -> HistoryFilter:
    request = SimpleNamespace(user=user)
    return HistoryFilter(query, queryset=visible_scans(user), request=request)


def choices(rng: random.Random, user: User) -> dict[str, str]:
    teams = [str(team.pk) for team in Team.objects.filter(memberships__user=user)]
    return {
        "result": rng.choice(list(RESULTS)),
        "finding": rng.choice((*ANSWERS, "other_disease")),
        "outcome": rng.choice(list(Outcome)).value,
        "state": rng.choice(Analysis.State.values),
        "model": rng.choice(("xception", "other", "none")),
        "patient_reference": rng.choice(("P-1", "p-12", "none")),
        "uploaded_after": (NOON + timedelta(days=rng.randrange(40))).date().isoformat(),
        "uploaded_before": (NOON + timedelta(days=rng.randrange(40))).date().isoformat(),
        "text": rng.choice(WORDS),
        "whose": rng.choice(["mine", *teams]),
        "team": rng.choice([*teams, ""]),
        "mine": rng.choice(("true", "false")),
    }


def pages(user: User, query: dict[str, str], *, length: int, newer: bool) -> list[Scan]:
    """Every page of a list, followed by its places."""
    found: list[Scan] = []
    place = Place(datetime(2020, 1, 1, tzinfo=UTC), Scan().pk, newer=True) if newer else None
    while rows := filters(user, **query).scan_list().load(length, place=place):
        found += rows
        place = Place(rows[-1].created_at, rows[-1].pk, newer=newer)
    return found


def test_every_combination_lists_what_the_plain_query_says(crowd):
    rng = random.Random(11)
    seen = 0
    for user in crowd:
        for number in (0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 5):
            query = dict(rng.sample(sorted(choices(rng, user).items()), number))
            wanted = list(filters(user, **query).qs.order_by("-created_at", "-pk"))
            assert pages(user, query, length=rng.choice((3, 7, 50)), newer=False) == wanted, query
            assert pages(user, query, length=50, newer=True) == wanted[::-1], query
            seen += len(wanted)
    assert seen > 500


@pytest.mark.parametrize("name", ["result", "finding", "outcome", "state", "model", "patient_reference", "text"])
def test_each_filter_alone_lists_what_the_plain_query_says(crowd, name):
    rng = random.Random(5)
    for user in crowd[:3]:
        for _ in range(6):
            query = {name: choices(rng, user)[name]}
            wanted = list(filters(user, **query).qs.order_by("-created_at", "-pk"))
            assert pages(user, query, length=10, newer=False) == wanted, query


@pytest.mark.parametrize(
    ("few_scans", "few_read", "first", "most", "ample"),
    [
        *((2000, 500, 3, 3, 2.5), (0, 500, 3, 3, 2.5), (0, 0, 3, 3, 2.5), (0, 500, 3, 20_000, 2.5)),
        *((0, 500, 3000, 20_000, 2.5), (0, 500, 20, 20_000, 0.01), (0, 500, 20, 20_000, 1000)),
    ],
    ids=["few scans", "facets", "much that was read", "more texts", "first texts", "short window", "wide window"],
)
def test_words_are_found_with_filters_in_each_of_the_ways_of_a_search(
    crowd, monkeypatch, few_scans, few_read, first, most, ample
):
    for name, value in (("FEW_SCANS", few_scans), ("FEW_READ", few_read), ("MOST_TEXTS", most), ("AMPLE", ample)):
        monkeypatch.setattr(find, name, value)
    for search in (FtsSearch, TrigramSearch):
        monkeypatch.setattr(search, "first", first)
    team = str(crowd[1].memberships.order_by("pk")[0].team_id)
    for query in (
        {"result": "glioma"},
        {"text": "cystic"},
        {"text": "cystic", "state": "succeeded", "whose": "mine"},
        {"text": "left temporal", "finding": "glioma"},
        {"text": "ada cystic", "outcome": "classified"},
        {"text": "cystic", "mine": "true", "team": team, "model": "xception"},
        {"text": "cystic", "result": "sealed"},
        {"text": "zebra", "result": "failed"},
        {"text": "cystic", "model": "none"},
    ):
        wanted = list(filters(crowd[1], **query).qs.order_by("-created_at", "-pk"))
        assert pages(crowd[1], query, length=3, newer=False) == wanted, query
        assert pages(crowd[1], query, length=50, newer=True) == wanted[::-1], query


def test_names_of_different_people_and_a_word_match_nothing(crowd):
    assert pages(crowd[0], {"text": "ada ben cystic"}, length=50, newer=False) == []


def test_many_ranges_are_several_statements_with_the_same_answer(crowd, monkeypatch):
    monkeypatch.setattr(ranges, "MAX_SELECTIONS", 3)
    query = {"state": "succeeded"}
    wanted = list(filters(crowd[1], **query).qs.order_by("-created_at", "-pk"))
    assert pages(crowd[1], query, length=4, newer=False) == wanted


def test_the_figures_count_what_the_lists_hold(crowd):
    for user in crowd:
        figures = dashboard(scope_of(user))
        assert figures.total == visible_scans(user).count()
        by_result = {name: filters(user, result=name).qs.count() for name in RESULTS}
        assert figures.by_finding == {name: by_result[name] for name in ANSWERS}
        assert (figures.uncertain, figures.not_brain_mri) == (by_result["uncertain"], by_result["not_brain_mri"])
        assert (figures.waiting, figures.failed) == (by_result["waiting"], by_result["failed"])
        assert figures.unread == by_result["sealed"]


def test_unread_scans_are_those_without_a_statement_of_the_reader(crowd):
    for user in crowd:
        wanted = [
            scan
            for scan in visible_scans(user).order_by("created_at", "pk")
            if scan.current_analysis
            and scan.current_analysis.state == "succeeded"
            and not Impression.objects.filter(scan=scan, reader=user).exists()
            and not Review.objects.filter(scan=scan, reviewer=user).exists()
        ]
        assert unread_scans(scope_of(user)).load(200, oldest=True) == wanted
        assert unread_count(scope_of(user)) == min(len(wanted), 100)
        walked, scan = [], next_unread(user)
        while scan is not None and scan not in walked:
            walked.append(scan)
            scan = next_unread(user, after=scan)
        assert walked == wanted


def test_what_is_derived_follows_every_change(crowd):
    assert check_counts().is_clean
    scan = Scan.objects.filter(team__isnull=False).exclude(notes="").first()
    assert scan is not None
    scan.facet = "stale"
    scan.notes = "other words"
    scan.save()
    scan.team.delete()
    Scan.objects.filter(owner=crowd[0]).first().delete()
    Analysis.objects.filter(state="succeeded").update(state="failed", outcome="", finding="", probabilities=None,
                                                      failure_message="It stopped.")  # fmt: skip
    assert check_counts().is_clean
    assert filters(crowd[0], result="glioma").scan_list().load(10) == []


def test_merging_counts_changes_no_figure(crowd):
    before = [dashboard(scope_of(user)) for user in crowd]
    rows = ScanCount.objects.count()
    assert merge_counts(at_least=rows + 1) == 0
    assert merge_counts(at_least=1) > 0
    assert ScanCount.objects.count() < rows
    assert check_counts().is_clean
    assert [dashboard(scope_of(user)) for user in crowd] == before
    assert merge_counts(at_least=1) == 0


@pytest.mark.parametrize("query", [{"finding": "glioma"}, {"text": "cystic"}, {"text": "zebra", "result": "glioma"}])
def test_a_list_takes_as_many_statements_with_one_team_as_with_many(crowd, monkeypatch, query):
    monkeypatch.setattr(find, "FEW_SCANS", 0)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            filters(crowd[1], **query).scan_list().load(20)
        return len(captured)

    few = statements()
    for _ in range(12):
        join(TeamFactory(), crowd[1], role=Membership.Role.OWNER)
    assert statements() == few


def test_a_batch_in_a_list_counts_what_its_page_counts(crowd):
    batches = []
    for number, scan in enumerate(Scan.objects.order_by("pk")):
        if number % 40 == 0:
            batches.append(Batch.objects.create(owner=scan.owner))
        BatchFile.objects.create(batch=batches[-1], number=number + 1, scan=scan)
        BatchFile.objects.create(batch=batches[-1], number=number + 1000, refusal="It is no image." * (number % 3))
    for user in crowd:
        entries = batch_entries(user, batches)
        assert counts_of_batches(user, batches) == {pk: batch_counts(rows) for pk, rows in entries.items()}


def test_batches_are_listed_from_any_place(owner, teammate, team, outsider):
    for number in range(9):
        open_batch(Scan().pk, owner=(owner, teammate, outsider)[number % 3], team=team if number % 2 else None)
    wanted = list(visible_batches(owner).order_by("-created_at", "-pk"))
    found, place = [], None
    while rows := BatchList(owner).load(2, place=place):
        found += rows
        place = Place(rows[-1].created_at, rows[-1].pk, newer=False)
    assert found == wanted
    assert BatchList(owner).load(20, place=Place(wanted[-1].created_at, wanted[-1].pk, newer=True)) == wanted[-2::-1]


@pytest.mark.parametrize("criteria", [Criteria(), Criteria(patient_reference="P-1")], ids=["all", "patient"])
def test_own_scans_of_a_team_fill_a_page(owner, team, criteria):
    made = [make_scan(owner, team=team, patient_reference="P-1") for _ in range(7)]
    scans = ScanList(scope_of(owner), criteria)
    assert [scan.pk for scan in scans.load(5)] == [scan.pk for scan in reversed(made[2:])]
    assert scans.count(5) == 5
    assert [scan.pk for scan in scans.walk(chunk=3)] == [scan.pk for scan in reversed(made)]


def test_texts_of_one_moment_are_listed_in_the_order_of_their_scans(owner):
    # Stored in the order of their keys, whose first bits are all that a position holds of them.
    made = [make_scan(owner, notes="cystic", id=UUID(int=(0xABC << 116) + 12 - number)) for number in range(12)]
    Scan.objects.filter(owner=owner).update(created_at=NOON)
    wanted = sorted((scan.pk for scan in made), key=lambda key: key.hex, reverse=True)
    for length in range(1, 12):
        found = ScanList(scope_of(owner), Criteria(words=("cystic",))).load(length)
        assert [scan.pk for scan in found] == wanted[:length]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite compiles no plans.")
def test_postgresql_plans_short_statements():
    with connection.cursor() as cursor:
        for name, value in (("jit", "off"), ("max_parallel_workers_per_gather", "0"), ("random_page_cost", "1.1")):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)
