"""Models in use: only what is visible and open to the reader counts."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from classifier.acceptance.limits import Limits
from classifier.inference.appearance import FEATURES
from classifier.models import Analysis, Review
from classifier.selectors.in_use import WEEKS, models_in_use
from classifier.selectors.model import model_card
from classifier.services.acceptance import close_commissioning
from classifier.services.commissioning import start_commissioning
from tests.factories import make_analysis, make_scan, make_shadow_case

pytestmark = pytest.mark.django_db


def analyzed(user, *, days: float = 0, count: int = 1, team=None, **fields) -> list[Analysis]:
    made = []
    for _ in range(count):
        scan = make_scan(user, team=team)
        made.append(make_analysis(scan, state="succeeded", finished_at=timezone.now() - timedelta(days=days), **fields))
    return made


def review(analysis: Analysis, reader, *, number: int = 1, finding: str = "") -> None:
    verdict = "correct" if finding else "agree"
    Review.objects.create(
        scan=analysis.scan, analysis=analysis, reviewer=reader, number=number, verdict=verdict, finding=finding,
        certainty="high",
    )  # fmt: skip


UNCERTAIN = {"outcome": "uncertain", "finding": "", "probabilities": [0.5, 0.4, 0.05, 0.05], "confidence": 0.5}
REFUSED = {"outcome": "not_brain_mri", "finding": "", "probabilities": None, "confidence": None}


def test_outcomes_are_counted_by_version_and_week(owner):
    analyzed(owner, count=3)
    analyzed(owner, days=21, **UNCERTAIN)
    analyzed(owner, days=21, **REFUSED)
    analyzed(owner, model_name="compact", model_version="2")
    first, second = models_in_use(owner)
    assert (first.model, first.version, second.model) == ("xception", "test", "compact")
    assert [(week.analyses, week.uncertain, week.refused) for week in first.weeks] == [(2, 1, 1), (3, 0, 0)]
    assert (first.total.analyses, first.total.confidence) == (5, pytest.approx(0.91))
    assert first.weeks[0].confidence is None


def test_old_analyses_and_samples_do_not_count(owner):
    analyzed(owner, days=7 * WEEKS + 1)
    scan = make_scan(owner, sample="glioma-1")
    make_analysis(scan, state="succeeded")
    make_analysis(make_scan(owner), state="failed")
    assert models_in_use(owner) == []


def test_only_visible_scans_count(owner, teammate, outsider, team):
    analyzed(owner, count=2, team=team)
    analyzed(owner)
    assert [row.total.analyses for row in models_in_use(owner)] == [3]
    assert [row.total.analyses for row in models_in_use(teammate)] == [2]
    assert models_in_use(outsider) == []


def test_closed_results_do_not_count(owner, team, teammate):
    analysis = analyzed(owner, team=team)[0]
    review(analysis, teammate, finding="glioma")
    owner.sealed_reading_since = timezone.now() - timedelta(days=1)
    owner.save()
    assert models_in_use(owner) == []
    assert models_in_use(teammate)[0].total.reviews == 1


def test_the_newest_review_of_each_reader_counts(owner, teammate, team):
    first, second = analyzed(owner, count=2, team=team)
    review(first, owner)
    review(first, teammate, finding="glioma")
    review(first, teammate, number=2)
    review(second, teammate, finding="notumor")
    found = models_in_use(owner)[0]
    assert (found.total.reviews, found.total.agreed) == (3, 2)
    assert found.total.agreement == pytest.approx(2 / 3)
    assert found.corrections == (("meningioma", "notumor", 1),)


def test_the_input_is_compared_with_the_training_images(owner):
    card = model_card("xception")
    with np.load(card.ood.statistics.path) as archive:
        mean = archive["appearance_mean"]
    analyzed(owner, count=2, model_version=card.version, appearance=[float(value) for value in mean])
    brighter = mean.copy()
    brighter[FEATURES.index("mean")] += 0.5
    analyzed(owner, days=28, model_version=card.version, appearance=[float(value) for value in brighter])
    found = models_in_use(owner)[0]
    assert found.measured == 3
    assert found.shifts[0].feature == "mean"
    assert found.weeks[0].distance > 1 > found.weeks[1].distance


def test_without_the_statistics_of_the_version_there_is_no_drift(owner):
    analyzed(owner, model_version="an older one", appearance=[0.0] * len(FEATURES))
    found = models_in_use(owner)[0]
    assert (found.shifts, found.total.distance) == ((), None)


def test_the_number_of_queries_does_not_depend_on_the_weeks(owner, django_assert_max_num_queries):
    for days in range(0, 60, 7):
        analyzed(owner, days=days)
    # The scope, five looks for a sample, analyses, reviews, and baselines.
    with django_assert_max_num_queries(9):
        models_in_use(owner)


@pytest.fixture
def accepted(two_models, owner, team):
    """A closed commissioning with a baseline of thirty images, darker on one half."""
    commissioning = start_commissioning(
        team, by=owner, model="compact", limits=Limits({"sensitivity": 0.9}), title="MR 2"
    )
    for number in range(30):
        appearance = [0.4 + 0.2 * (number % 2)] * len(FEATURES)
        make_shadow_case(commissioning, make_scan(owner, team=team), truth="glioma", appearance=appearance)
    close_commissioning(commissioning, by=owner)
    return commissioning


def test_the_input_of_a_team_is_compared_with_its_own_baseline(accepted, owner, teammate, team, browse, api):
    version = {"model_name": "compact", "model_version": "0.1"}
    # Not of the team, before the report, and of another version.
    analyzed(owner, count=2, appearance=[0.9] * len(FEATURES), **version)
    analyzed(owner, days=1, count=2, team=team, appearance=[0.9] * len(FEATURES), **version)
    analyzed(owner, team=team, appearance=[0.9] * len(FEATURES), model_name="compact", model_version="0.2")
    analyzed(owner, count=19, team=team, appearance=[0.6] * len(FEATURES), **version)
    few = next(row for row in models_in_use(owner) if row.version == "0.1").site_drifts
    assert [(site.measured, site.shifts, site.weeks) for site in few] == [(19, (), ())]
    assert "Too few images to compare: 19 since then" in " ".join(
        browse(owner).get("/models/in-use/").content.decode().split()
    )

    analyzed(owner, team=team, appearance=[0.6] * len(FEATURES), **version)

    (site,) = next(row for row in models_in_use(owner) if row.version == "0.1").site_drifts
    assert (site.commissioning, site.baseline_images, site.measured) == (accepted, 30, 20)
    assert site.shifts[0].deviations == pytest.approx(1.0)
    assert [(week.images, week.shift) for week in site.weeks] == [(20, pytest.approx(1.0))]
    page = browse(teammate).get("/models/in-use/").content.decode()
    assert "Shift of the input from the site" in page
    assert "MR 2" in page
    shown = next(row for row in api(teammate).get("/api/v1/models/in-use/").json() if row["version"] == "0.1")
    assert shown["site_drifts"][0]["shifts"][0]["baseline"] == pytest.approx(0.5)


def test_no_stranger_reads_the_baseline_of_a_team(accepted, owner, outsider, team):
    version = {"model_name": "compact", "model_version": "0.1"}
    analyzed(owner, count=20, team=team, appearance=[0.6] * len(FEATURES), **version)
    analyzed(outsider, count=20, appearance=[0.6] * len(FEATURES), **version)
    (found,) = models_in_use(outsider)
    assert found.site_drifts == ()
    # Who leaves the team sees their own scans, and no longer its baseline.
    owner.memberships.filter(team=team).delete()
    assert all(row.site_drifts == () for row in models_in_use(owner))


def test_the_page_and_the_api_show_the_same(browse, api, owner):
    analysis = analyzed(owner)[0]
    review(analysis, owner, finding="glioma")
    review(analyzed(owner, **UNCERTAIN)[0], owner, finding="other_disease")
    page = browse(owner).get("/models/in-use/").content.decode()
    assert "xception test" in page
    assert "0 of 2" in page
    assert "Meningioma corrected to glioma: 1" in page
    assert "Uncertain corrected to other disease: 1" in page
    (version,) = api(owner).get("/api/v1/models/in-use/").json()
    assert (version["total"]["analyses"], version["total"]["reviews"], version["total"]["agreed"]) == (2, 2, 0)


def test_without_analyses_the_page_says_so(browse, owner):
    assert "No analysis yet" in browse(owner).get("/models/in-use/").content.decode()
