"""Shadow mode, route by route: no page, list, file, or API answer changes when a shadow analysis gets its answer."""

import re

import pytest

from classifier.acceptance.limits import Limits
from classifier.models import Analysis, CommissioningCase, Scan
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases
from tests.factories import make_scan, make_shadow_case
from tests.permission_rules import API, OPEN, RULES
from tests.test_permissions import address  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

ANSWER = "pituitary"
LISTS = {
    "history by finding": f"/scans/?finding={ANSWER}",
    "history by model": "/scans/?model=compact",
    "scans by finding": f"/api/v1/scans/?finding={ANSWER}",
    "scans by model": "/api/v1/scans/?model=compact",
    "export": "/api/v1/scans/export.csv",
    "export of the history": f"/scans/export.csv?result={ANSWER}",
    "statistics": "/api/v1/statistics/",
    "statistics of a model": "/statistics/?model=compact:0.1",
}
# Tokens, times, identifiers of a form, and nonces differ from one answer to the next.
VARYING = re.compile(
    r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="[^"]*"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}'
    r'|"csrftoken": *"[^"]*"|X-CSRFToken[^}]*|\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?'
)


def shown(client, url: str) -> tuple[int, str]:
    """Return status and content of an answer without what differs each time."""
    response = client.get(url)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return response.status_code, VARYING.sub("", content.decode(errors="replace"))


def raw(client, url: str) -> str:
    response = client.get(url)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode(errors="replace")


@pytest.fixture
def waiting(two_models, owner, team):
    """Return a function that makes a scan a case whose shadow analysis waits, and one that gives it its answer."""
    commissioning = start_commissioning(team, by=owner, model="compact", limits=Limits({"sensitivity": 0.9}))

    def wait_for(scan: Scan) -> None:
        add_cases(commissioning, by=owner, cases=[NewCase(scan)])

    def finish() -> CommissioningCase:
        case = CommissioningCase.objects.get(commissioning=commissioning)
        Analysis.with_shadow.filter(pk=case.analysis_id).delete()
        return make_shadow_case(commissioning, case.scan, answer=ANSWER)

    return wait_for, finish


# A PDF file holds the time it was made in compressed form, and is made from the HTML report, which is compared.
# The list of commissionings counts finished analyses: `test_the_progress_tells_no_answer`.
NOT_COMPARABLE = ("web:report_archive_file", "api:scan-report-pdf", "api:commissioning-list")
ROUTES = sorted(name for name, rule in RULES.items() if rule.method == "get" and rule.anonymous != OPEN)


@pytest.mark.parametrize("person", ["owner", "teammate"])
@pytest.mark.parametrize("route", [name for name in ROUTES if name not in NOT_COMPARABLE])
def test_no_route_changes_with_the_answer(route, person, waiting, address, browse, api, request):  # noqa: F811
    wait_for, finish = waiting
    url = address(route)
    wait_for(Scan.objects.get(patient_reference="P-9"))
    client = (api if RULES[route].anonymous == API else browse)(request.getfixturevalue(person))
    before = shown(client, url)

    case = finish()

    assert shown(client, url) == before
    assert str(case.analysis_id) not in raw(client, url)


@pytest.mark.parametrize("name", LISTS)
def test_no_list_or_figure_counts_the_answer(name, waiting, owner, team, browse, api):
    wait_for, finish = waiting
    wait_for(make_scan(owner, team=team))
    client = (api if LISTS[name].startswith("/api/") else browse)(owner)
    before = shown(client, LISTS[name])
    finish()
    assert shown(client, LISTS[name]) == before


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "/api/v1/analyses/{analysis}/reviews/"),
        ("post", "/api/v1/analyses/{analysis}/reviews/"),
        ("post", "/api/v1/analyses/{analysis}/cancel/"),
        ("get", "/api/v1/scans/{scan}/saliency?analysis={analysis}"),
        ("get", "/scans/{scan}/saliency.png?analysis={analysis}"),
        ("post", "/analyses/{analysis}/cancel/"),
        ("post", "/analyses/{analysis}/reviews/"),
    ],
)
def test_its_identifier_opens_nothing(method, url, waiting, owner, team, browse, api):
    wait_for, finish = waiting
    scan = make_scan(owner, team=team)
    wait_for(scan)
    case = finish()
    client = (api if url.startswith("/api/") else browse)(owner)
    response = getattr(client, method)(url.format(analysis=case.analysis_id, scan=scan.pk))
    assert response.status_code == 404


def test_the_progress_tells_no_answer(waiting, owner, team, browse, api):
    wait_for, finish = waiting
    wait_for(make_scan(owner, team=team))
    case = finish()
    client = browse(owner)
    answers = []
    for answer in ("pituitary", "notumor", "uncertain", "not_brain_mri"):
        Analysis.with_shadow.filter(pk=case.analysis_id).delete()
        case = make_shadow_case(case.commissioning, case.scan, answer=answer)
        listed = shown(api(owner), "/api/v1/commissionings/")
        answers.append((shown(client, case.commissioning.get_absolute_url()), listed))
    assert [status for status, _ in answers[0]] == [200, 200]
    assert all(answer == answers[0] for answer in answers)


def test_administrators_see_none_either(waiting, owner, team, staff, browse):
    wait_for, finish = waiting
    wait_for(make_scan(owner, team=team))
    case = finish()
    client = browse(staff)
    assert "compact" not in client.get("/admin/classifier/analysis/").content.decode()
    assert client.get(f"/admin/classifier/analysis/{case.analysis_id}/change/").status_code in (302, 404)
