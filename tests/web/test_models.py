"""The page of the models, and where people choose between them."""

import csv
import json
import re
from types import SimpleNamespace
from unittest import mock

import pytest

from classifier.inference.registry import load_card
from classifier.models import Scan
from classifier.selectors import comparison
from classifier.selectors.model import default_model
from classifier.training.predictions import NOT_SHIPPED
from classifier.web import model_tables
from tests.comparison.conftest import prediction, predictions_with, write_evaluation
from tests.conftest import MODELS
from tests.factories import make_analysis, make_scan, make_worker_process, png_bytes
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


@pytest.fixture
def evaluated(two_models):
    """Both models, evaluated on the same images: `xception` is clearly better."""
    for name, skill in (("xception", 4), ("compact", 1)):
        folder = two_models / name
        digest = json.loads((folder / "card.json").read_text())["weights"]["sha256"]
        latency = {"median_ms": 70.0 if name == "xception" else 20.0, "engine": "openvino"}
        per_class = {"glioma": {"recall": 0.9, "precision": 0.8, "f1": 0.85, "images": 50}}
        write_evaluation(
            folder, predictions_with(skill=skill), weights_sha256=digest, latency=latency, per_class=per_class
        )
    return two_models


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


@pytest.fixture
def unshipped(evaluated):
    """`xception` has figures under `official`, of a run that is not shipped."""
    path = write_evaluation(
        evaluated / "xception",
        [],
        protocol="official",
        weights=NOT_SHIPPED,
        model="xception-b",
        images=1311,
        groups=466,
        accuracy={"value": 0.9924, "low": 0.9877, "high": 0.9968},
        confusion=[[297, 2, 0, 1], [4, 302, 0, 0], [1, 0, 404, 0], [0, 2, 0, 298]],
        latency={"median_ms": 43.5, "engine": "openvino"},
        per_class={"glioma": {"recall": 0.99, "precision": 0.98, "f1": 0.98, "images": 300}},
    )
    path.with_suffix(".csv").unlink()
    return evaluated


def test_a_run_that_is_not_shipped_says_so(unshipped, browse, api, owner):
    client = browse(owner)
    page = " ".join(client.get("/models/?protocol=official").content.decode().split())
    assert "99.2% (98.8–99.7)" in page
    assert "xception: run xception-b 1.0, 2026-01-02; without its answers for single images" in page
    assert "not shipped" in page
    # Its own time, and nothing that needs answers for single images.
    assert "44 ms (openvino)" in page
    assert "Evaluate it again" not in page
    assert "may have seen test images" not in page
    assert "Differences from" not in page
    assert "roc-data" not in page
    assert "not shipped" not in client.get("/models/?protocol=patient").content.decode()
    own = client.get("/models/xception/?protocol=official").content.decode()
    assert "297" in own
    assert "Click a number" not in own
    assert "/images/" not in own
    assert "official" not in client.get("/models/disagreements/").content.decode().split("<main")[1]
    rows = list(csv.DictReader(client.get("/models/export.csv").content.decode().splitlines()))
    assert {(row["protocol"], row["run"], row["weights"]) for row in rows if row["model"] == "xception"} == {
        ("patient", "", "shipped"),
        ("official", "xception-b", "not shipped"),
    }
    assert "xception-b 1.0 (not shipped)" in client.get("/models/export.tex?protocol=official").content.decode()
    listed = api(owner).get("/api/v1/models/").json()[0]["protocols"]
    assert {entry["protocol"]: (entry["run"], entry["outdated"]) for entry in listed} == {
        "official": ("xception-b", False),
        "patient": ("", False),
    }
    assert api(owner).get("/api/v1/models/xception/disagreements/compact/?protocol=official").status_code == 404


def test_a_run_that_is_not_shipped_is_compared_if_its_answers_were_kept(unshipped, browse, owner):
    for name, skill in (("xception", 3.0), ("compact", 1.0)):
        write_evaluation(
            unshipped / name,
            predictions_with(skill=skill),
            protocol="official",
            weights=NOT_SHIPPED,
            model=f"{name}-b",
            abstention={"threshold": 0.0},
        )
    client = browse(owner)
    page = " ".join(client.get("/models/?protocol=official").content.decode().split())
    assert "compact-b (not shipped) minus xception-b (not shipped)" in page
    assert "xception: run xception-b 1.0, 2026-01-02, not calibrated </li>" in page
    assert "without its answers" not in page
    rows = list(csv.DictReader(client.get("/models/differences.csv").content.decode().splitlines()))
    assert {(row["base_run"], row["run"]) for row in rows if row["protocol"] == "official"} == {
        ("xception-b", "compact-b"),
        ("compact-b", "xception-b"),
    }
    assert {row["run"] for row in rows if row["protocol"] == "patient"} == {""}
    # Pages with its images say it, too.
    for path in ("/models/disagreements/?protocol=official", "/models/xception/images/?protocol=official"):
        query = "&label=glioma&called=glioma" if "images" in path else ""
        assert "not shipped" in client.get(path + query).content.decode()


def test_a_model_without_figures_under_a_protocol_is_named_with_the_reason(unshipped, browse, owner):
    path = unshipped / "compact" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"training": {"protocol": "patient"}}))
    page = " ".join(browse(owner).get("/models/?protocol=official").content.decode().split())
    assert (
        "compact has not been measured under the protocol official: it was trained under the protocol patient and may "
        "have seen these test images." in page
    )
    assert "has not been measured" not in browse(owner).get("/models/?protocol=patient").content.decode()


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


def test_parameters_are_counted_in_the_weights(evaluated, api, owner):
    import h5py
    import numpy as np

    for folder in ("compact", "xception"):
        # Cards may state the number; these do not.
        path = evaluated / folder / "card.json"
        card = json.loads(path.read_text())
        card.pop("architecture", None)
        path.write_text(json.dumps(card))
    name = json.loads((evaluated / "compact" / "card.json").read_text())["weights"]["file"]
    with h5py.File(evaluated / "compact" / name, "w") as file:
        file["layer/kernel"] = np.zeros((3, 3, 4), np.float16)
        file["layer/bias"] = np.zeros(4, np.float16)
    found = {model["name"]: model["costs"]["parameters"] for model in api(owner).get("/api/v1/models/").json()}
    assert found == {"compact": 40, "xception": None}


def test_the_memory_is_what_a_live_worker_needed(evaluated, browse, owner):
    make_worker_process(measurements={"models": {"compact": {"version": "0.1", "bytes": 200 * 2**20}}})
    assert "200 MiB" in browse(owner).get("/models/").content.decode()


def test_a_benchmark_counts_only_for_the_weights_it_ran(evaluated, browse, owner, monkeypatch, tmp_path):
    digest = json.loads((evaluated / "compact" / "card.json").read_text())["weights"]["sha256"]
    engines = {
        "openvino": {"analysis": {"median": 33.0}, "memory_after": {"resident": 321.0}},
        "litert": {"analysis": {"median": 1.0}},
    }
    monkeypatch.setattr(comparison, "BENCH_RESULTS", tmp_path)
    measured = {"weights_sha256": digest, "engines": engines, "model": "compact 0.0.9"}
    measured["date"] = "2026-11-23T23:51:01+00:00"
    (tmp_path / "engines.json").write_text(json.dumps(measured))
    page = browse(owner).get("/models/").content.decode()
    assert "33\N{NO-BREAK SPACE}ms (openvino)" in page
    assert "Time per image, benchmark" in page
    # Another calibration of the same weights is as fast; the page says which one was timed, and when.
    assert "compact 0.0.9, 2026-11-23" in page
    (tmp_path / "engines.json").write_text(json.dumps({"weights_sha256": "older", "engines": engines}))
    page = browse(owner).get("/models/").content.decode()
    assert "33\N{NO-BREAK SPACE}ms" not in page
    assert "Time per image, benchmark" not in page


def test_a_benchmark_of_an_ensemble_counts_while_its_members_have_the_same_weights(settings, db, monkeypatch, tmp_path):
    settings.MODELS_DIR = MODELS
    monkeypatch.setattr(comparison, "BENCH_RESULTS", tmp_path)
    members = [
        member["weights_sha256"] for member in json.loads((MODELS / "ensemble/members.json").read_text())["members"]
    ]
    engines = {"openvino": {"analysis": {"median": 60.0}}}
    content = {"weights_sha256": "of an earlier list of members", "engines": engines, "model": "ensemble 1.0.0"}

    def milliseconds(digests):
        (tmp_path / "engines-ensemble.json").write_text(json.dumps(content | {"member_weights_sha256": digests}))
        return {model.card.name: model.costs.bench_ms for model in comparison.compared_models()}

    assert milliseconds(members)["ensemble"] == 60.0
    assert milliseconds(members)["xception"] is None
    assert milliseconds([*members[:1], "other"])["ensemble"] is None


def test_times_of_different_engines_or_machines_are_not_ranked():
    def model(name, milliseconds, engine, accuracy, machine="2 threads"):
        figure = SimpleNamespace(key=("test", "accuracy"), value=accuracy)
        return SimpleNamespace(
            card=SimpleNamespace(name=name),
            figures=lambda protocol: [figure],
            latency=lambda protocol: (milliseconds, engine),
            timed_on=lambda protocol: (engine, machine),
            heading=lambda protocol: name,
        )

    models = [
        model("a", 49.0, "openvino", 0.87),
        model("b", 41.0, "openvino_bf16", 0.88),
        model("c", 50.0, "openvino_bf16", 0.86),
        model("d", 1.0, "openvino_bf16", 0.99, machine="16 threads"),
    ]
    with mock.patch.object(model_tables, "formatted", return_value=""):
        points = model_tables.pareto_points(models, protocol="patient")
    assert {point["name"]: point["efficient"] for point in points} == {"a": None, "b": True, "c": False, "d": None}


def test_an_ensemble_is_as_large_as_its_members(settings, db):
    settings.MODELS_DIR = MODELS
    sizes = {model.card.name: model.costs.file_bytes for model in comparison.compared_models()}
    members = [load_card(MODELS / name, verify=False).weights.bytes for name in ("xception", "efficientnet-lite")]
    assert sum(members) < sizes["ensemble"] < sizes["xception"] + sizes["efficientnet-lite"]
