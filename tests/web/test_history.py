"""The history: figures, filters, pages."""

import base64
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from classifier import scan_csv, wording
from classifier.findings import ANSWERS, Outcome
from classifier.models import Analysis, Scan
from classifier.selectors.lists.criteria import Place
from classifier.selectors.lists.pages import page_of
from classifier.selectors.lists.scan_list import ScanList
from classifier.selectors.lists.scope import scope_of
from classifier.web.pagination import PAGE_LENGTH
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
HISTORY = "/scans/"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(owner, number: int, *, moments: list[datetime] | None = None, **fields) -> list[Scan]:
    """Bare rows, a minute apart unless said otherwise, newest last."""
    moments = moments or [NOON + timedelta(minutes=n) for n in range(number)]
    blank = {"width": 80, "height": 80, "pixels_sha256": "0" * 64, "source_format": "PNG"}
    made = Scan.objects.bulk_create([Scan(owner=owner, **(blank | fields)) for _ in moments])
    for scan, moment in zip(made, moments, strict=True):
        Scan.objects.filter(pk=scan.pk).update(created_at=moment)
    return list(Scan.objects.filter(pk__in=[scan.pk for scan in made]).order_by("created_at", "pk"))


def listed(client, **query) -> list[str]:
    response = client.get(HISTORY, query)
    assert response.status_code == 200
    return [str(scan.pk) for scan in response.context["page"].rows] if response.context["figures"].total else []


def test_an_empty_history_says_what_to_do_first(browse, owner):
    page = browse(owner).get(HISTORY).content.decode()
    assert "No scans yet" in page
    assert "Upload your first image" in page
    assert "<form" not in page.split("<main")[1].split("</main>")[0]


def test_filters_that_match_nothing_offer_the_way_back(browse, owner, scan):
    page = browse(owner).get(HISTORY, {"text": "nothing like it"}).content.decode()
    assert "No scan matches these filters" in page
    assert f'href="{HISTORY}"' in page


def test_people_see_their_own_and_their_teams_scans(browse, owner, teammate, outsider, scan, team_scan):
    assert listed(browse(owner)) == [str(team_scan.pk), str(scan.pk)]
    assert listed(browse(teammate)) == [str(team_scan.pk)]
    assert listed(browse(outsider)) == []


def test_a_row_tells_result_probability_reference_and_owner(browse, teammate, team_scan):
    page = browse(teammate).get(HISTORY).content.decode()
    for words in ("P-2", "Meningioma", "91%", "owner", "Neuroradiology"):
        assert words in page


@pytest.fixture
def one_of_each(owner) -> dict[str, Scan]:
    """A scan with every result, all the owner's."""
    made = {}
    for finding in ANSWERS:
        made[finding] = make_scan(owner, patient_reference=f"P-{finding}")
        make_analysis(made[finding], state="succeeded", finding=finding)
    for name, fields in {
        "uncertain": {"outcome": Outcome.UNCERTAIN, "finding": ""},
        "not_brain_mri": {
            "outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None,
        },
    }.items():  # fmt: skip
        made[name] = make_scan(owner)
        make_analysis(made[name], state="succeeded", **fields)
    for name, state in {"waiting": "queued", "failed": "failed"}.items():
        made[name] = make_scan(owner)
        make_analysis(made[name], state=state)
    return made


def test_each_result_can_be_asked_for(browse, owner, one_of_each):
    client = browse(owner)
    for name, scan in one_of_each.items():
        assert listed(client, result=name) == [str(scan.pk)], name


def test_every_figure_counts_what_its_link_shows(browse, owner, one_of_each):
    client = browse(owner)
    figures = client.get(HISTORY).context
    for row in figures["counts"]:
        assert len(listed(client, result=row["name"])) == row["count"] == 1
    assert len(listed(client, result="waiting")) == figures["figures"].waiting == 1
    assert len(listed(client, result="failed")) == figures["figures"].failed == 1
    assert sum(figures["per_day"]["uploads"]) == len(one_of_each)


def test_search_looks_into_reference_notes_and_owner(browse, owner, teammate, team):
    by_notes = make_scan(owner, notes="cystic, left temporal")
    by_owner = make_scan(teammate, team=team)
    client = browse(owner)
    assert listed(client, text="TEMPORAL cystic") == [str(by_notes.pk)]
    assert listed(client, text="teammate") == [str(by_owner.pk)]


def test_one_patient_is_followed_by_the_reference(browse, owner, scan):
    make_scan(owner, patient_reference="P-10")
    assert listed(browse(owner), patient_reference="p-1") == [str(scan.pk)]


def test_a_range_of_days_includes_both_ends(browse, owner):
    made = rows(owner, 3, moments=[NOON, NOON + timedelta(days=1), NOON + timedelta(days=2)])
    found = listed(browse(owner), uploaded_after="2026-03-01", uploaded_before="2026-03-02")
    assert found == [str(made[1].pk), str(made[0].pk)]


def test_whose_scans(browse, owner, teammate, team, scan, team_scan):
    theirs = make_scan(teammate, team=team)
    client = browse(owner)
    assert listed(client, whose="mine") == [str(team_scan.pk), str(scan.pk)]
    assert listed(client, whose=str(team.pk)) == [str(theirs.pk), str(team_scan.pk)]


@pytest.mark.parametrize(
    "query",
    [
        {"result": "x"}, {"finding": "x"}, {"state": "x"}, {"uploaded_after": "tomorrow"}, {"whose": "999999"},
        {"team": "x"}, {"cursor": "x"}, {"cursor": "bm90IGEgY3Vyc29y"}, {"text": "\x00"},
    ],
)  # fmt: skip
def test_senseless_values_are_no_errors(browse, owner, scan, query):
    assert browse(owner).get(HISTORY, query).status_code == 200


def test_another_teams_number_shows_nothing_of_theirs(browse, owner, outsider, scan):
    theirs = outsider.teams.get()
    hidden = make_scan(outsider, team=theirs)
    assert str(hidden.pk) not in listed(browse(owner), whose=str(theirs.pk))


def test_pages_lead_to_older_scans_and_back(browse, owner):
    made = [str(scan.pk) for scan in reversed(rows(owner, 2 * PAGE_LENGTH + 3))]
    client = browse(owner)
    first = client.get(HISTORY).context["page"]
    second = client.get(HISTORY, {"cursor": first.older}).context["page"]
    third = client.get(HISTORY, {"cursor": second.older}).context["page"]
    assert [str(scan.pk) for page in (first, second, third) for scan in page.rows] == made
    assert (first.newer, third.older) == ("", "")
    back = client.get(HISTORY, {"cursor": third.newer}).context["page"]
    assert [scan.pk for scan in back.rows] == [scan.pk for scan in second.rows]
    top = client.get(HISTORY, {"cursor": back.newer}).context["page"]
    assert [scan.pk for scan in top.rows] == [scan.pk for scan in first.rows]
    assert top.newer == ""


def test_scans_of_the_same_moment_are_each_shown_once(owner):
    made = rows(owner, 7, moments=[NOON] * 7)
    seen, cursor = [], ""
    while True:
        page = page_of(ScanList(scope_of(owner)), length=2, place=Place.decode(cursor) if cursor else None)
        seen += [scan.pk for scan in page.rows]
        cursor = page.older
        if not cursor:
            break
    assert sorted(seen) == sorted(scan.pk for scan in made)
    assert len(seen) == len(made)


def test_pages_keep_the_filters(browse, owner):
    rows(owner, PAGE_LENGTH + 1, patient_reference="P-5")
    page = browse(owner).get(HISTORY, {"patient_reference": "P-5"}).content.decode()
    assert "patient_reference=P-5&amp;cursor=" in page


def test_a_page_whose_scans_are_gone_leads_to_the_first_one(browse, owner, scan):
    nowhere = Place(NOON - timedelta(days=9000), scan.pk, newer=False).encode()
    response = browse(owner).get(HISTORY, {"cursor": nowhere, "result": "meningioma"})
    assert response.status_code == 302
    assert response.url == f"{HISTORY}?result=meningioma"


@pytest.mark.parametrize("place", ["o|0001-01-01T00:00:00", "n|9999-12-31T23:59:59.999999"])
@pytest.mark.parametrize("offset", ["+23:59", "-23:59", "+00:00", ""])
def test_a_place_at_the_ends_of_the_calendar_is_no_error(browse, owner, scan, place, offset):
    word = base64.urlsafe_b64encode(f"{place}{offset}|{scan.pk}".encode()).decode().rstrip("=")
    response = browse(owner).get(HISTORY, {"cursor": word}, follow=True)
    assert response.status_code == 200
    assert scan.get_absolute_url() in response.content.decode()


def test_a_long_history_takes_no_more_queries_than_a_short_one(browse, owner, team, scan):
    client = browse(owner)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(HISTORY)
        return len(captured)

    few = queries()
    for moment in range(PAGE_LENGTH):
        other = rows(owner, 1, moments=[NOON + timedelta(hours=moment)], team=team)[0]
        make_analysis(other, state="succeeded")
    assert queries() == few


def test_the_list_refreshes_itself_more_often_while_something_waits(browse, owner, scan):
    client = browse(owner)
    signs = ('hx-trigger="every 2500ms"', '<meta http-equiv="refresh"')
    page = client.get(HISTORY).content.decode()
    assert not any(sign in page for sign in signs)
    assert 'hx-trigger="every 15s"' in page
    make_analysis(make_scan(owner), state=Analysis.State.RUNNING)
    page = client.get(HISTORY).content.decode()
    assert all(sign in page for sign in signs)
    # With JavaScript the list alone is replaced.
    assert "<meta" in page.split("<noscript>")[1].split("</noscript>")[0]


@pytest.mark.parametrize("finding", ["glioma", "meningioma", "notumor", "pituitary", "tumor"])
def test_lists_say_a_result_in_the_words_of_its_page(browse, owner, finding):
    scan = make_scan(owner)
    analysis = make_analysis(scan, state="succeeded", finding=finding)
    said = wording.sentence(analysis)
    client = browse(owner)
    assert said in client.get(scan.get_absolute_url()).content.decode()
    assert said in client.get("/").content.decode()
    assert said.replace(" (91%)", "") in client.get("/scans/").content.decode()


def exported(client, **query) -> list[str]:
    response = client.get(f"{HISTORY}export.csv", query)
    assert response["Content-Disposition"] == 'attachment; filename="scans.csv"'
    text = b"".join(response.streaming_content).decode()
    return [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def test_the_list_is_exported_with_the_filters_of_the_page(browse, owner, scan, team_scan):
    client = browse(owner)
    for query in ({}, {"whose": team_scan.team_id}, {"result": "meningioma"}, {"result": "failed"}):
        assert exported(client, **query) == listed(client, **query)
    page = client.get(HISTORY, {"whose": team_scan.team_id, "cursor": ""}).content.decode()
    assert f'href="{HISTORY}export.csv?whose={team_scan.team_id}"' in page


def test_a_list_that_is_too_long_for_a_file_says_so(browse, owner, scan, team_scan, monkeypatch):
    monkeypatch.setattr(scan_csv, "MAX_ROWS", 1)
    response = browse(owner).get(f"{HISTORY}export.csv", {"whose": "mine"}, follow=True)
    assert response.redirect_chain == [(f"{HISTORY}?whose=mine", 302)]
    assert "scans match. Narrow the list with filters" in response.content.decode()
