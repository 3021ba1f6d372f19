"""The choice between models: asked for, of the team, of the installation."""

import shutil

import pytest

from classifier.models import Installation
from classifier.selectors.model import default_model
from classifier.services import team as teams
from classifier.services.analysis import request_analysis, retry_analysis
from classifier.services.errors import Invalid, NotAllowed
from classifier.services.model import checked_model_name, set_installation_model
from classifier.services.sample import submit_sample
from classifier.services.scan import submit_scan
from tests.factories import make_analysis, make_scan, png_bytes

pytestmark = pytest.mark.django_db


def test_without_a_choice_the_environment_decides(two_models, team):
    assert default_model() == default_model(team) == "xception"


def test_staff_choose_for_everyone_without_a_choice_of_their_own(two_models, staff, owner, team):
    set_installation_model(by=staff, model="compact")
    assert submit_scan(owner=owner, file=png_bytes()).analysis.model_name == "compact"
    assert submit_sample("glioma-1", owner=owner).analysis.model_name == "compact"
    teams.set_default_model(team, by=owner, model="xception")
    assert submit_scan(owner=owner, file=png_bytes(), team=team).analysis.model_name == "xception"
    assert Installation.objects.get().changed_by == staff


def test_staff_return_to_the_environment(two_models, staff):
    set_installation_model(by=staff, model="compact")
    set_installation_model(by=staff, model="")
    assert default_model() == "xception"


def test_only_staff_choose_for_the_installation(two_models, owner):
    with pytest.raises(NotAllowed):
        set_installation_model(by=owner, model="compact")
    assert default_model() == "xception"


def test_only_owners_choose_for_the_team(two_models, team, teammate):
    with pytest.raises(NotAllowed):
        teams.set_default_model(team, by=teammate, model="compact")


@pytest.mark.parametrize("name", ["resnet", "../xception", "xception/", "."])
def test_a_model_that_is_not_installed_cannot_be_chosen(two_models, staff, owner, team, name):
    with pytest.raises(Invalid):
        set_installation_model(by=staff, model=name)
    with pytest.raises(Invalid):
        teams.set_default_model(team, by=owner, model=name)
    with pytest.raises(Invalid):
        checked_model_name(name)


def test_the_persons_choice_comes_before_the_teams(two_models, owner, team):
    teams.set_default_model(team, by=owner, model="compact")
    chosen = submit_scan(owner=owner, file=png_bytes(), team=team, model="xception")
    assert chosen.analysis.model_name == "xception"
    assert request_analysis(make_scan(owner, team=team), by=owner).model_name == "compact"


def test_uploads_go_on_after_a_chosen_model_was_removed(two_models, staff, owner, team):
    set_installation_model(by=staff, model="compact")
    teams.set_default_model(team, by=owner, model="compact")
    shutil.rmtree(two_models / "compact")
    assert submit_scan(owner=owner, file=png_bytes(), team=team).analysis.model_name == "xception"


def test_a_failed_analysis_is_retried_with_its_own_model(two_models, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="failed", model_name="compact")
    assert retry_analysis(scan, by=owner).model_name == "compact"


def test_one_of_a_removed_model_is_retried_with_the_default(two_models, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="failed", model_name="gone")
    assert retry_analysis(scan, by=owner).model_name == "xception"
