"""Site calibrations: off until an owner switches them on, reversible, and named by each analysis."""

import json

import numpy as np
import pytest

from classifier.acceptance.limits import Limits
from classifier.events import Kind
from classifier.inference.registry import load_card
from classifier.models import Analysis, Commissioning, Event, SiteCalibration
from classifier.queue.claim import Result, claim_analyses, finish_analyses
from classifier.services.acceptance import close_commissioning, switch_site_calibration
from classifier.services.commissioning import start_commissioning
from classifier.services.commissioning_cases import NewCase, add_cases
from classifier.services.errors import Conflict, NotAllowed
from classifier.worker.batch_loader import Batch
from tests.factories import make_analysis, make_scan, make_shadow_case
from tests.worker.test_pipeline import DECISION

pytestmark = pytest.mark.django_db
VALUES = {
    "calibration": {"temperature": 2.0, "tumor_slope": 0.5, "tumor_offset": -0.5},
    "thresholds": {"finding": 0.8, "notumor": 0.9, "tumor": 0.7},
    "possible": {"glioma": 0.01, "meningioma": 0.02, "notumor": 0.03, "pituitary": 0.04},
}


@pytest.fixture
def closed(two_models, team, owner) -> Commissioning:
    """A closed commissioning whose cases did not suffice for a calibration."""
    commissioning = start_commissioning(team, by=owner, model="xception", limits=Limits({"sensitivity": 0.9}))
    close_commissioning(commissioning, by=owner)
    return commissioning


@pytest.fixture
def site(closed) -> SiteCalibration:
    return SiteCalibration.objects.create(
        commissioning=closed, team=closed.team, model_name="xception", model_version="2.1.0", values=VALUES
    )


class Analyzer:
    """The part of an analyzer that says which version it has loaded."""

    def __init__(self, folder) -> None:
        self.card = load_card(folder, verify=False)


def test_closing_keeps_what_was_fitted_and_switches_nothing(two_models, team, owner) -> None:
    commissioning = start_commissioning(team, by=owner, model="compact", limits=Limits({"sensitivity": 0.9}))
    for number in range(40):
        truth = "glioma" if number % 2 else "notumor"
        scan = make_scan(owner, team=team, patient_reference=f"P-{number}")
        make_shadow_case(commissioning, scan, answer=truth if number % 10 else "pituitary", truth=truth)
    content = close_commissioning(commissioning, by=owner).content
    kept = SiteCalibration.objects.get()
    assert kept.values == {name: content["site_calibration"][name] for name in VALUES}
    assert not kept.active
    assert not Event.objects.filter(kind=Kind.SITE_CALIBRATION_ON).exists()


def test_owners_switch_it_and_each_switch_is_an_event(site, closed, owner, teammate) -> None:
    with pytest.raises(NotAllowed):
        switch_site_calibration(closed, by=teammate, on=True)
    for on in (True, True, False):
        assert switch_site_calibration(closed, by=owner, on=on).active == on
    kinds = list(
        Event.objects.filter(kind__startswith="site_calibration").order_by("pk").values_list("kind", flat=True)
    )
    assert kinds == [Kind.SITE_CALIBRATION_ON, Kind.SITE_CALIBRATION_OFF]


def test_another_one_of_the_model_goes_off(site, closed, owner, team) -> None:
    switch_site_calibration(closed, by=owner, on=True)
    later = start_commissioning(team, by=owner, model="xception", limits=Limits({"sensitivity": 0.9}))
    close_commissioning(later, by=owner)
    with pytest.raises(Conflict, match="no site calibration"):
        switch_site_calibration(later, by=owner, on=True)
    SiteCalibration.objects.create(
        commissioning=later, team=team, model_name="xception", model_version="2.1.0", values=VALUES
    )
    switch_site_calibration(later, by=owner, on=True)
    site.refresh_from_db()
    assert not site.active


def test_it_fits_the_installed_version_alone(site, closed, owner, two_models) -> None:
    (two_models / "xception" / "card.json").unlink()
    with pytest.raises(Conflict, match="no longer installed"):
        switch_site_calibration(closed, by=owner, on=True)


def test_it_holds_for_the_team_and_the_model_and_is_named(site, closed, owner, team, two_models) -> None:
    switch_site_calibration(closed, by=owner, on=True)
    mine, shared = make_scan(owner), make_scan(owner, team=team)
    for scan in (mine, shared):
        make_analysis(scan)
    make_analysis(make_scan(owner, team=team), model_name="compact")
    shadow = start_commissioning(team, by=owner, model="xception", limits=Limits({"sensitivity": 0.9}))
    add_cases(shadow, by=owner, cases=[NewCase(shared)])

    claims = claim_analyses(limit=10)

    held = {(c.analysis.scan_id, c.analysis.model_name, c.analysis.in_shadow): c.site_calibration for c in claims}
    assert len(held) == 4
    assert [key for key, found in held.items() if found == site] == [(shared.pk, "xception", False)]
    own = [claim for claim in claims if claim.analysis.model_name == "xception"]
    batch = Batch(Analyzer(two_models / "xception"), own, None)  # type: ignore[arg-type]
    cards = batch.cards()
    assert cards is not None
    changed = [card for card in cards if card.calibration.temperature == 2.0]
    assert len(changed) == 1
    assert (changed[0].thresholds.finding, changed[0].possible_from) == (0.8, (0.01, 0.02, 0.03, 0.04))
    maps = np.zeros((7, 7, 4), np.float16)
    sites = batch.site_calibrations()
    finish_analyses(
        [
            Result(claim, DECISION, maps, "2.1.0", 5.0, site_calibration=found)
            for claim, found in zip(own, sites, strict=True)
        ]
    )
    assert Analysis.objects.get(scan=shared, model_name="xception").site_calibration == site
    assert Analysis.objects.get(scan=mine).site_calibration is None
    assert Analysis.with_shadow.get(commissioning=shadow).site_calibration is None


def test_a_newer_version_is_decided_with_its_own_card(site, closed, owner, team, two_models) -> None:
    switch_site_calibration(closed, by=owner, on=True)
    make_analysis(make_scan(owner, team=team))
    claims = claim_analyses(limit=1)
    SiteCalibration.objects.filter(pk=site.pk).update(model_version="2.0.0")
    claims[0].site_calibration.refresh_from_db()
    batch = Batch(Analyzer(two_models / "xception"), claims, None)  # type: ignore[arg-type]
    assert (batch.site_calibrations(), batch.cards()) == ([None], None)


def test_other_weights_of_the_same_version_are_decided_with_their_own_card(
    site, closed, owner, team, two_models
) -> None:
    switch_site_calibration(closed, by=owner, on=True)
    make_analysis(make_scan(owner, team=team))
    card = json.loads((two_models / "xception" / "card.json").read_text(encoding="utf-8"))
    card["weights"]["sha256"] = "0" * 64
    (two_models / "xception" / "card.json").write_text(json.dumps(card), encoding="utf-8")
    batch = Batch(Analyzer(two_models / "xception"), claim_analyses(limit=1), None)  # type: ignore[arg-type]
    assert (batch.site_calibrations(), batch.cards()) == ([None], None)


def test_pages_and_api_say_which_calibration_it_was(site, closed, owner, team, browse, api) -> None:
    scan = make_scan(owner, team=team)
    make_analysis(scan, state="succeeded")
    address = f"/api/v1/scans/{scan.pk}/"
    assert "From the model card" in browse(owner).get(scan.get_absolute_url()).content.decode()
    assert api(owner).get(address).json()["analysis"]["site_calibration"] is None
    make_analysis(scan, state="succeeded", site_calibration=site)
    assert f'Site calibration <span class="muted">{str(site.pk)[:8]}' in " ".join(
        browse(owner).get(scan.get_absolute_url()).content.decode().split()
    )
    assert api(owner).get(address).json()["analysis"]["site_calibration"] == str(site.pk)


def test_the_page_switches_it(site, closed, owner, browse) -> None:
    client = browse(owner)
    for action, active in (("calibration_on", True), ("calibration_off", False)):
        assert client.post(closed.get_absolute_url(), {"action": action}).status_code == 302
        site.refresh_from_db()
        assert site.active == active
