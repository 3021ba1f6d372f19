"""The explanation on the page of a scan."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.findings import Outcome
from tests.factories import make_analysis, make_scan

pytestmark = pytest.mark.django_db

REFUSED = {"outcome": Outcome.NOT_BRAIN_MRI, "finding": "", "probabilities": None, "confidence": None}


def page_of(client, scan) -> str:
    return client.get(scan.get_absolute_url()).content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"finding": "glioma"}, "The evidence for glioma is strong. It lies in one area, on the left side"),
        ({"finding": "notumor"}, "has no location"),
        (REFUSED, "was not classified"),
    ],
)
def test_a_result_is_explained_at_once(browse, owner, fields, said):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", **fields)
    page = page_of(browse(owner), scan)
    assert "explanation-heading" in page
    assert said in page
    assert "No language model wrote" in page


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_without_a_result_the_page_has_no_explanation(browse, owner, state):
    scan = make_scan(owner)
    make_analysis(scan, state=state)
    assert "explanation-heading" not in page_of(browse(owner), scan)


def test_a_sealed_result_is_not_explained(browse, owner, scan):
    owner.sealed_reading_since = timezone.now() - timedelta(hours=1)
    owner.save()
    page = page_of(browse(owner), scan)
    assert "explanation-heading" not in page
    assert "suspected meningioma" not in page
    assert "evidence for" not in page
