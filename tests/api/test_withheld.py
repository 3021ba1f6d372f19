"""A withheld answer is given nowhere: in no field, by no filter, in no count, until a person accepts the image."""

import json

import pytest

from classifier.models import Analysis, Explanation, Review
from classifier.selectors.analysis import get_analysis, wait_until_finished
from classifier.selectors.history import dashboard
from classifier.selectors.in_use import models_in_use
from classifier.selectors.lists.scope import scope_of
from classifier.services.mending import accept_input
from classifier.services.scan_counts import check_counts
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
CROPPED = {"code": "cropped", "detail": "top,left"}
ANSWER = ("outcome", "finding", "probabilities", "tumor_probability", "confidence", "ood_score", "saliency")


@pytest.fixture
def scan(owner, team):
    scan = make_scan(owner, team=team, input_problems=[CROPPED])
    make_analysis(scan, state="succeeded")
    return scan


def listed(client, query: str) -> int:
    return len(client.get(f"/api/v1/scans/?{query}").json()["results"])


def test_no_field_tells_the_answer(api, owner, teammate, scan):
    for user in (owner, teammate):
        client = api(user)
        bodies = [
            client.get(f"/api/v1/scans/{scan.pk}/").json(),
            client.get("/api/v1/scans/").json(),
            client.get(f"/api/v1/scans/{scan.pk}/analyses/").json(),
            client.get(f"/api/v1/analyses/{scan.current_analysis_id}/").json(),
            client.get(f"/api/v1/scans/{scan.pk}/comparison/").json(),
            client.get("/api/v1/statistics/").json(),
        ]
        assert "meningioma (" not in json.dumps(bodies)
        assert "saliency/?" not in json.dumps(bodies)
        shown = bodies[0]["analysis"]
        assert (bodies[0]["withheld"], shown["state"]) == (True, "succeeded")
        assert shown["sentence"] == "Check the image first: the head is cut off"
        assert all(not shown[name] for name in ANSWER)
        assert bodies[0]["input_problems"][0]["code"] == "cropped"


def test_requests_for_what_reveals_it_are_refused_with_the_way_on(api, owner, scan):
    client, analysis = api(owner), scan.current_analysis_id
    answers = [
        client.get(f"/api/v1/scans/{scan.pk}/saliency"),
        client.get(f"/api/v1/scans/{scan.pk}/saliency?finding=glioma"),
        client.post(f"/api/v1/analyses/{analysis}/reviews/", {"verdict": "agree", "certainty": "high"}, format="json"),
        client.post(
            f"/api/v1/analyses/{analysis}/reviews/",
            {"verdict": "correct", "finding": "meningioma", "certainty": "high"},
            format="json",
        ),
        client.post(f"/api/v1/scans/{scan.pk}/explanations/", {"provider": "built-in"}, format="json"),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["code"] == "withheld"
        assert "`mend`" in answer.json()["errors"][0]["detail"]
    assert not Review.objects.exists()
    assert not Explanation.objects.exists()


def test_accepting_the_image_opens_everything(api, owner, scan):
    client = api(owner)
    body = client.post(f"/api/v1/scans/{scan.pk}/mend/", {"action": "accept"}, format="json").json()
    assert (body["withheld"], body["analysis"]["finding"]) == (False, "meningioma")
    assert client.get(body["analysis"]["saliency"]).status_code == 200
    assert listed(client, "finding=meningioma") == 1
    assert dashboard(scope_of(owner)).by_finding["meningioma"] == 1
    assert check_counts().is_clean


@pytest.mark.parametrize("query", ["finding=meningioma", "outcome=classified", "finding=meningioma&text=P"])
def test_no_filter_finds_it(api, owner, scan, query):
    assert listed(api(owner), query) == 0


def test_filters_that_reveal_nothing_find_it(api, owner, scan):
    for query in ("", "state=succeeded", "model=xception"):
        assert listed(api(owner), query) == 1


def test_the_history_finds_it_under_its_own_name(browse, owner, scan):
    for result, number in (("meningioma", 0), ("withheld", 1)):
        page = browse(owner).get(f"/scans/?result={result}")
        assert len(page.context["page"].rows) == number
    assert "Check the image first" in page.content.decode()


def test_counts_and_figures_leave_it_out(owner, scan):
    figures = dashboard(scope_of(owner))
    assert (figures.total, figures.withheld, figures.by_finding["meningioma"]) == (1, 1, 0)
    assert models_in_use(owner) == []
    assert check_counts().is_clean


def test_a_result_that_arrives_while_somebody_waits_is_withheld(owner):
    scan = make_scan(owner, input_problems=[CROPPED])
    waiting = get_analysis(owner, make_analysis(scan).pk)
    Analysis.objects.filter(pk=waiting.pk).delete()
    make_analysis(scan, state="succeeded", pk=waiting.pk)
    found = wait_until_finished(waiting, seconds=0)
    assert (found.state, found.withheld, found.finding, found.probabilities) == ("succeeded", True, "", None)
    with pytest.raises(TypeError, match="never saved"):
        found.save()
    assert Analysis.objects.get(pk=waiting.pk).finding == "meningioma"


def test_an_image_that_is_no_brain_mr_is_reported_and_later_analyses_stay_open(owner, scan):
    refused = {"outcome": "not_brain_mri", "finding": "", "probabilities": None, "confidence": None}
    make_analysis(scan, state="succeeded", **refused)
    assert dashboard(scope_of(owner)).not_brain_mri == 1
    accept_input(scan, by=owner)
    make_analysis(scan, state="succeeded", finding="glioma")
    assert dashboard(scope_of(owner)).by_finding["glioma"] == 1
    assert check_counts().is_clean
