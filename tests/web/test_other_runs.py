"""Figures of runs whose weights are not shipped, on the page of the models, in its exports, and in the API."""

import csv
import json

import pytest

from classifier.training.predictions import NOT_SHIPPED
from tests.comparison.conftest import predictions_with, write_evaluation

pytestmark = pytest.mark.django_db


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
    assert "xception: run xception-b 1.0, 2026-01-02; figures only" in page
    assert page.count("has no paired differences and no curves") == 1
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
    assert "figures only" not in page
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
