"""The page of the models, and where people choose between them."""

import csv
import json
import re

import pytest

from classifier.models import Scan
from classifier.selectors.model import default_model
from tests.comparison.conftest import prediction, write_evaluation
from tests.factories import make_analysis, make_scan, png_bytes
from tests.web.test_upload import image

pytestmark = pytest.mark.django_db


def test_every_model_is_listed_with_its_version(two_models, browse, owner):
    page = browse(owner).get("/models/").content.decode()
    assert "compact" in page
    assert "2.1.0" in page
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


def test_the_page_of_a_team_reports_a_removed_model(two_models, browse, owner, team):
    team.default_model = "gone"
    team.save()
    assert "The model “gone” is not installed" in browse(owner).get(team.get_absolute_url()).content.decode()


def test_models_are_compared_with_intervals_and_paired_differences(evaluated, browse, owner):
    page = browse(owner).get("/models/").content.decode()
    assert "Differences from xception" in page
    assert "verdict-worse" in page
    assert re.search(r"\d+\.\d% \(\d+\.\d–\d+\.\d\)", page)
    assert "70\N{NO-BREAK SPACE}ms (openvino)" in page
    assert "not loaded" in page
    assert 'id="roc-data"' in page


def test_another_base_turns_the_differences_round(evaluated, browse, owner):
    page = browse(owner).get("/models/?base=compact").content.decode()
    assert "Differences from compact" in page
    assert "verdict-better" in page


@pytest.mark.parametrize("query", ["?protocol=x&set=y&base=z", "?protocol=%00"])
def test_unknown_choices_show_the_first(evaluated, browse, owner, query):
    assert "Differences from xception" in browse(owner).get(f"/models/{query}").content.decode()


def test_figures_of_other_weights_are_marked(evaluated, browse, owner):
    path = evaluated / "compact" / "evaluation" / "patient.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights_sha256": "other"}))
    page = browse(owner).get("/models/").content.decode()
    assert "The figures of compact belong to weights other than the installed ones" in page


def test_a_model_that_saw_the_test_images_is_marked(evaluated, browse, owner):
    path = evaluated / "compact" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"training": {"protocol": "official"}}))
    assert "compact was trained under the protocol official" in browse(owner).get("/models/").content.decode()


def test_without_an_evaluation_the_page_says_how_to_make_one(two_models, browse, owner):
    client = browse(owner)
    assert "manage.py evaluate" in client.get("/models/").content.decode()
    assert "manage.py evaluate" in client.get("/models/compact/").content.decode()


def test_each_model_has_a_page_with_its_confusion_matrix(evaluated, browse, owner):
    page = browse(owner).get("/models/compact/").content.decode()
    assert "Confusion matrix" in page
    assert "called=meningioma" in page
    assert browse(owner).get("/models/unknown/").status_code == 404


def test_a_cell_counts_its_images_where_they_are_not_installed(evaluated, browse, owner):
    page = browse(owner).get("/models/xception/images/?protocol=patient&label=glioma&called=glioma").content.decode()
    assert "of 10 patients" in page
    assert "EVALUATION_DATA" in page
    assert "<li" not in page.split('<main class="page"')[1]


@pytest.mark.parametrize("query", ["", "?protocol=patient", "?protocol=patient&label=x&called=glioma", "?protocol=x"])
def test_there_is_no_such_cell(evaluated, browse, owner, query):
    assert browse(owner).get(f"/models/xception/images/{query}").status_code == 404


def test_installed_images_are_shown_by_their_license(evaluated, browse, owner, settings, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "1.png").write_bytes(png_bytes())
    (data / "2.png").write_bytes(png_bytes())
    settings.EVALUATION_DATA = [data]
    glioma = (0.7, 0.1, 0.1, 0.1)
    rows = [
        prediction("1.png", "glioma", "p1", glioma, source="figshare"),
        prediction("2.png", "glioma", "p1", glioma, source="unknown"),
    ]
    write_evaluation(evaluated / "xception", rows)
    client = browse(owner)
    page = client.get("/models/xception/images/?protocol=patient&label=glioma&called=glioma").content.decode()
    assert "1 image not shown" in page
    assert client.get("/models/xception/images/0/?protocol=patient").headers["Content-Type"] == "image/png"
    assert client.get("/models/xception/images/1/?protocol=patient").status_code == 404


def test_figures_are_exported(evaluated, browse, owner):
    client = browse(owner)
    rows = list(csv.DictReader(client.get("/models/export.csv").content.decode().splitlines()))
    assert {row["model"] for row in rows} == {"compact", "xception"}
    assert "\\begin{tabular}{lrr}" in client.get("/models/export.tex").content.decode()


def test_differences_are_exported_both_ways(evaluated, browse, owner):
    rows = list(csv.DictReader(browse(owner).get("/models/differences.csv").content.decode().splitlines()))
    accuracy = {row["model"]: row for row in rows if row["measure"] == "accuracy"}
    assert (accuracy["xception"]["verdict"], accuracy["compact"]["verdict"]) == ("better", "worse")
    assert float(accuracy["xception"]["difference"]) == -float(accuracy["compact"]["difference"])


def test_the_api_gives_the_same_figures(evaluated, api, browse, owner):
    listed = api(owner).get("/api/v1/models/").json()
    assert [(model["name"], model["default"]) for model in listed] == [("xception", True), ("compact", False)]
    figure = listed[0]["protocols"][0]["figures"][0]
    assert (figure["set"], figure["measure"]) == ("test", "accuracy")
    assert figure["low"] < figure["value"] < figure["high"]
    rows = list(csv.DictReader(browse(owner).get("/models/export.csv").content.decode().splitlines()))
    assert float(rows[0]["value"]) == pytest.approx(figure["value"], abs=1e-6)


def test_the_api_compares_a_model_with_the_others(evaluated, api, owner):
    detail = api(owner).get("/api/v1/models/compact/").json()
    (comparison,) = detail["comparisons"]
    assert comparison["other"] == "xception"
    assert comparison["differences"][0]["verdict"] == "worse"
    assert sum(map(sum, detail["confusion"][0]["counts"])) == 200
    assert api(owner).get("/api/v1/models/unknown/").status_code == 404
