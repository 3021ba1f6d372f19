"""What models cost: parameters, size, memory, and time, as measured."""

import json
from types import SimpleNamespace
from unittest import mock

import pytest

from classifier.inference.registry import load_card
from classifier.selectors import comparison
from classifier.web import model_tables
from tests.conftest import MODELS
from tests.factories import make_worker_process

pytestmark = pytest.mark.django_db


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
