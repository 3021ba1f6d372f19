"""Reports to look at."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from classifier.models import ClassMaps, Report, Scan, SignedReport, User
from classifier.selectors.model import model_card
from classifier.selectors.report_facts import facts_hash, scan_facts
from classifier.selectors.scan import get_scan
from classifier.services.report import save_draft, sign_report
from tests.factories import make_analysis, make_scan

TEXTS = {"findings": "A mass of the left side, ≥ 2 cm.", "impression": "Meningioma likely.", "recommendation": ""}


@pytest.fixture
def current_scan(owner) -> Callable[..., Scan]:
    """Return a function that makes a scan whose analysis ran with the installed version of the model."""

    def make(**fields: Any) -> Scan:
        card = model_card("xception")
        assert card is not None
        scan = make_scan(owner, patient_reference="P-7")
        analysis = make_analysis(scan, **{"state": "succeeded", "model_version": card.version} | fields)
        maps = np.zeros((10, 10, 4), "<f2")
        maps[2:5, 2:5, 1] = 30  # a place that speaks for a meningioma
        ClassMaps.objects.filter(analysis=analysis).update(data=maps.tobytes())
        return get_scan(owner, scan.pk)

    return make


def signed_report(scan: Scan, user: User) -> SignedReport:
    """Return a signed report of a visible scan."""
    draft: Report = save_draft(get_scan(user, scan.pk), by=user, texts=TEXTS)
    facts = scan_facts(user, get_scan(user, scan.pk))
    return sign_report(draft, by=user, seen=draft.version, seen_facts=facts_hash(facts))
