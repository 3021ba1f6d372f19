"""The page of the models, and where people choose between them."""

import pytest

from classifier.models import Scan
from classifier.selectors.model import default_model
from tests.factories import make_analysis, make_scan
from tests.web.test_upload import image

pytestmark = pytest.mark.django_db


def test_every_model_is_listed_with_its_version(two_models, browse, owner):
    page = browse(owner).get("/models/").content.decode()
    assert "compact" in page
    assert "The model xception" in page
    assert "Make default" not in page


def test_a_damaged_card_is_named(two_models, browse, owner):
    (two_models / "compact" / "card.json").write_text("{")
    assert "The model “compact” cannot be used" in browse(owner).get("/models/").content.decode()


def test_staff_change_the_default(two_models, browse, staff):
    client = browse(staff)
    assert "Make default" in client.get("/models/").content.decode()
    page = client.post("/models/default/", {"model": "compact"}, follow=True).content.decode()
    assert "compact is now the default model" in page
    assert default_model() == "compact"


def test_clinicians_do_not(two_models, browse, owner):
    assert browse(owner).post("/models/default/", {"model": "compact"}).status_code == 403
    assert default_model() == "xception"


def test_an_unknown_name_is_answered_with_a_sentence(two_models, browse, staff):
    page = browse(staff).post("/models/default/", {"model": "resnet"}, follow=True).content.decode()
    assert "There is no model “resnet”" in page


def test_an_upload_can_name_its_model(two_models, browse, owner):
    client = browse(owner)
    assert 'name="model"' in client.get("/").content.decode()
    client.post("/scans/upload/", {"image": image(), "model": "compact"})
    assert Scan.objects.get().current_analysis.model_name == "compact"


def test_one_model_leaves_nothing_to_choose(browse, owner, two_models):
    (two_models / "compact" / "card.json").unlink()
    assert 'name="model"' not in browse(owner).get("/").content.decode()


def test_a_scan_is_analyzed_with_a_chosen_model(two_models, browse, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_version="2.1.0")
    client = browse(owner)
    assert "Analyze with…" in client.get(scan.get_absolute_url()).content.decode()
    client.post(f"{scan.get_absolute_url()}analyse/", {"model": "compact"})
    scan.refresh_from_db()
    assert scan.current_analysis.model_name == "compact"


def test_the_same_model_again_asks_first_and_remembers_which(two_models, browse, owner):
    scan = make_scan(owner)
    make_analysis(scan, state="succeeded", model_name="compact", model_version="0.1")
    page = browse(owner).post(f"{scan.get_absolute_url()}analyse/", {"model": "compact"}).content.decode()
    assert "Nothing would change" in page
    assert 'value="compact"' in page


def test_an_owner_chooses_for_the_team_and_members_read_it(two_models, browse, owner, teammate, team):
    browse(owner).post(team.get_absolute_url(), {"action": "default_model", "model": "compact"})
    team.refresh_from_db()
    assert team.default_model == "compact"
    assert "<strong>compact</strong>" in browse(teammate).get(team.get_absolute_url()).content.decode()


def test_a_team_is_told_that_its_model_is_gone(two_models, browse, owner, team):
    team.default_model = "gone"
    team.save()
    assert "The model “gone” is not installed" in browse(owner).get(team.get_absolute_url()).content.decode()
