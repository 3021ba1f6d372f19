"""One scan, several models: on the page and in the API; closed while the first read is sealed."""

import pytest
from django.utils import timezone

from classifier.models import Analysis
from classifier.services.analysis import request_all_models
from classifier.services.errors import Conflict
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def compared(two_models, owner):
    """A scan that `compact` calls a glioma and `xception`, whose analysis the page shows, a meningioma."""
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_name="compact", model_version="0.1", finding="glioma")
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    return scan


def page_of(client, scan) -> str:
    return client.get(scan.get_absolute_url()).content.decode()


def test_the_page_shows_what_each_model_says(compared, browse, owner):
    page = page_of(browse(owner), compared)
    assert "Models side by side" in page
    assert "The models see a tumor but differ on its kind. Meningioma: xception; glioma: compact." in page
    assert page.count("saliency.png") == 3
    assert "Previous analyses" not in page
    assert "Analyze with all" not in page


def test_all_models_are_asked_and_the_shown_result_stays(two_models, browse, owner):
    scan = make_scan(owner)
    shown = make_analysis(scan, state="succeeded", model_version="2.1.0")
    client = browse(owner)
    assert "Analyze with all" in page_of(client, scan)
    client.post(f"{scan.get_absolute_url()}analyse-all/")
    scan.refresh_from_db()
    assert scan.current_analysis == shown
    assert list(scan.analyses.filter(state="queued").values_list("model_name", flat=True)) == ["compact"]
    page = page_of(client, scan)
    assert "Waiting for analysis" in page
    # The shown result has a map; the queued analysis may still find evidence.
    evidence = page[page.index('<th scope="row">Evidence</th>') : page.index("</tbody>", page.index("Evidence</th>"))]
    assert "none" not in evidence
    assert f"{scan.get_absolute_url()}models/?seen=" in page


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("succeeded", "Only xception has analyzed this scan."),
        ("failed", "No model has analyzed this scan."),
        ("cancelled", "No model has analyzed this scan."),
    ],
)
def test_an_analysis_that_failed_analyzed_nothing(state, sentence, two_models, browse, owner):
    scan = make_scan(owner)
    make_analysis(scan, state=state, finished_at=timezone.now())
    assert sentence in page_of(browse(owner), scan)


def test_a_double_click_asks_once(two_models, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    assert len(request_all_models(scan, by=owner)) == 1
    assert request_all_models(scan, by=owner) == []


def test_an_earlier_version_does_not_count(compared, owner):
    compared.analyses.filter(model_name="compact").update(model_version="0.0")
    assert [row.model_name for row in request_all_models(compared, by=owner)] == ["compact"]


def test_a_scan_without_an_analysis_gets_that_of_its_default(two_models, owner):
    scan = make_scan(owner)
    assert {row.model_name for row in request_all_models(scan, by=owner)} == {"compact", "xception"}
    scan.refresh_from_db()
    assert scan.current_analysis.model_name == "xception"


def test_a_deleted_scan_conflicts(two_models, owner):
    scan = make_scan(owner)
    type(scan).objects.filter(pk=scan.pk).delete()
    with pytest.raises(Conflict):
        request_all_models(scan, by=owner)
    assert not Analysis.objects.exists()


def test_a_failed_analysis_stands_only_for_a_model_without_another(compared, api, owner):
    make_analysis(compared, state="failed", model_name="compact")
    compared.current_analysis = compared.analyses.get(model_name="xception")
    compared.save()
    rows = api(owner).get(f"/api/v1/scans/{compared.pk}/comparison/").json()["analyses"]
    assert [(row["model"], row["state"]) for row in rows] == [("xception", "succeeded"), ("compact", "succeeded")]


def test_the_fragment_is_sent_only_when_something_changed(two_models, browse, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    other = request_all_models(scan, by=owner)[0]
    client, url = browse(owner), f"{scan.get_absolute_url()}models/"
    seen = page_of(client, scan).split("models/?seen=")[1].split('"')[0]
    assert client.get(url, {"seen": seen}).status_code == 204
    Analysis.objects.filter(pk=other.pk).update(state="cancelled", finished_at=timezone.now())
    changed = client.get(url, {"seen": seen})
    assert changed.status_code == 200
    assert "data-poll" not in changed.content.decode()


def test_a_single_model_is_not_compared(two_models, browse, owner, scan):
    (two_models / "compact" / "card.json").unlink()
    assert "Models side by side" not in page_of(browse(owner), scan)


def test_the_api_compares_and_asks_all(compared, api, owner):
    client = api(owner)
    body = client.get(f"/api/v1/scans/{compared.pk}/comparison/").json()
    assert (body["agreement"], body["missing"]) == ("kind", [])
    assert [row["model"] for row in body["analyses"]] == ["xception", "compact"]
    compared.analyses.filter(model_name="compact").delete()
    response = client.post(f"/api/v1/scans/{compared.pk}/analyses/all/")
    assert response.status_code == 202
    assert [row["model"] for row in response.json()] == ["compact"]


def seal(user) -> None:
    user.sealed_reading_since = timezone.now().replace(year=2000)
    user.save()


def test_everything_stays_closed_until_the_first_read(compared, browse, api, owner):
    seal(owner)
    client = browse(owner)
    page = page_of(client, compared)
    assert "Models side by side" not in page
    assert "differ on its kind" not in page
    assert "lioma" not in client.get(f"{compared.get_absolute_url()}models/").content.decode()
    response = api(owner).get(f"/api/v1/scans/{compared.pk}/comparison/")
    assert response.status_code == 409
    assert "lioma" not in response.content.decode()
    for analysis in compared.analyses.all():
        assert client.get(f"{compared.get_absolute_url()}saliency.png?analysis={analysis.pk}").status_code == 409


def test_asking_all_models_opens_nothing(two_models, browse, api, owner):
    seal(owner)
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    browse(owner).post(f"{scan.get_absolute_url()}analyse-all/")
    assert scan.analyses.count() == 2
    body = api(owner).post(f"/api/v1/scans/{scan.pk}/analyses/all/").json()
    assert body == []
    assert api(owner).get(f"/api/v1/scans/{scan.pk}/comparison/").status_code == 409


def test_the_first_read_opens_the_comparison(compared, browse, owner):
    seal(owner)
    client = browse(owner)
    form = {"finding": "glioma", "certainty": "high", "comment": "", "seen": "0"}
    client.post(f"{compared.get_absolute_url()}impressions/", form)
    assert "differ on its kind" in page_of(client, compared)
