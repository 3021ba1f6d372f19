"""An answer that the input check withholds shows on no page, in no list, and in no markup."""

import re

import pytest
from django.urls import reverse

from classifier.models import Batch
from classifier.models.analysis import Analysis
from classifier.selectors.analysis import get_analysis
from classifier.services.batch import Place, record_scan
from classifier.wording import withheld
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db
CROPPED = {"code": "cropped", "detail": "top,left"}


@pytest.fixture
def scan(owner):
    scan = make_scan(owner, patient_reference="P-7", input_problems=[CROPPED])
    make_analysis(scan, state="succeeded")
    make_analysis(scan, state="succeeded")
    batch = Batch.objects.create(owner=owner)
    record_scan(Place(batch, name=""), scan)
    record_scan(Place(batch, name=""), make_scan(owner))
    return scan


def pages(scan):
    batch = Batch.objects.get()
    return {
        "scan": scan.get_absolute_url(),
        "batch": batch.get_absolute_url(),
        "history": reverse("web:history"),
        "home": reverse("web:upload"),
        "status": reverse("web:scan_status", args=[scan.pk]),
        "statuses": f"{reverse('web:scan_statuses')}?row={scan.pk}~queued",
        "delete": reverse("web:scan_delete", args=[scan.pk]),
        "attention": reverse("web:attention"),
    }


@pytest.mark.parametrize("name", ["scan", "batch", "history", "home", "status", "statuses", "delete", "attention"])
def test_no_page_shows_a_withheld_answer(browse, owner, scan, name):
    response = browse(owner).get(pages(scan)[name])
    page = response.content.decode()
    assert response.status_code == 200
    # The names of findings are choices of forms and filters; the answer is a sentence, a figure, or an attribute.
    assert "Probably" not in page
    assert "91%" not in page
    assert 'data-finding="meningioma"' not in page
    assert not re.search(r"mark-(?:meningioma|glioma|pituitary)", _without_forms(page))
    assert "No single place stands out" not in page


def test_the_way_through_the_unread_scans_does_not_end_at_a_withheld_answer(browse, owner, scan):
    page = browse(owner).get(scan.get_absolute_url()).content.decode()
    assert f"{reverse('web:unread')}?after={scan.pk}" in page


def test_an_analysis_knows_the_problems_of_its_scan_however_it_was_loaded(owner, scan):
    current = scan.current_analysis
    assert withheld(Analysis.objects.get(pk=current.pk))
    assert withheld(Analysis.objects.select_related("scan").get(pk=current.pk))
    assert withheld(get_analysis(owner, current.pk))
    assert withheld(make_analysis(scan, state="succeeded"))


def _without_forms(page: str) -> str:
    return re.sub(r"<form.*?</form>", "", page, flags=re.DOTALL)
