import json
import shutil

import numpy as np
import pytest

from classifier.inference.analyzer import Analyzer
from classifier.inference.calibration import Calibration
from classifier.inference.engines import load_engine, prepare_model
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.ensemble import combine, converted
from classifier.inference.preprocessing import Preprocessing, preprocess, to_input
from classifier.inference.registry import ModelError, load_card
from classifier.training.cards import read_card, write_card
from classifier.training.ensemble import make_ensemble


@pytest.fixture(scope="module")
def models(tiny_folder, tmp_path_factory):
    """Two models of different temperature and an ensemble of them."""
    folder = tmp_path_factory.mktemp("models")
    for name, temperature in (("one", 1.0), ("two", 2.0)):
        shutil.copytree(tiny_folder, folder / name)
        changes = {"name": name, "calibration": {"temperature": temperature}, "training": {"protocol": "patient"}}
        changes["attribution"] = ["data", f"weights of {name}"]
        write_card(folder / name, read_card(folder / name) | changes)
    make_ensemble(folder / "both", members=["one", "two"], version="1")
    return folder


def test_title_and_attribution_name_all_members(models):
    card = read_card(models / "both")
    assert card["title"] == "Mean of one and two"
    assert card["attribution"] == ["data", "weights of one", "weights of two"]


@pytest.fixture
def own_models(models, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(models, tmp_path / "models")


def batch(count=2):
    return np.random.default_rng(1).uniform(-1, 1, (count, 299, 299, 3)).astype(np.float32)


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_the_answer_is_the_mean_of_the_calibrated_logits(models, exports, engine):
    ensemble = load_engine(models / "both", engine=engine, exports=exports)
    one, two = (load_engine(models / name, engine=engine, exports=exports) for name in ("one", "two"))
    p, q = (member.card.calibration.probabilities(member.predict(batch()).logits) for member in (one, two))
    output = ensemble.predict(batch())
    assert ensemble.name == engine
    assert output.logits == pytest.approx((np.log(p) + np.log(q)) / 2, abs=1e-4)
    assert output.class_maps.mean(axis=(1, 2)) == pytest.approx(output.logits, abs=1e-4)
    assert output.features.shape == (2, 32)


def test_an_ensemble_is_served_like_any_other_model(models, exports, gray):
    result = Analyzer.from_folder(models / "both", exports=exports).analyze([gray])[0]
    assert sum(result.decision.probabilities) == pytest.approx(1, abs=1e-5)
    assert result.class_maps.shape == (10, 10, 4)


def test_its_graphs_are_made_ahead_of_time(models, exports):
    assert prepare_model(models / "both", engine="openvino", exports=exports).is_dir()


def test_maps_of_different_sizes_are_averaged_on_the_finest_grid():
    rng = np.random.default_rng(0)
    coarse, fine = rng.normal(size=(3, 7, 7, 4)), rng.normal(size=(3, 14, 14, 4))
    outputs = [
        EngineOutput(
            maps.mean(axis=(1, 2)).astype(np.float32), rng.random((3, 5)).astype(np.float32), maps.astype(np.float32)
        )
        for maps in (coarse, fine)
    ]
    calibrations = [Calibration(1.5, tumor_slope=0.8, tumor_offset=-0.4), Calibration()]
    result = combine(outputs, calibrations)
    assert result.class_maps.shape == (3, 14, 14, 4)
    assert result.class_maps.mean(axis=(1, 2)) == pytest.approx(result.logits, abs=1e-5)
    expected = np.mean([np.log(c.probabilities(o.logits)) for c, o in zip(calibrations, outputs, strict=True)], axis=0)
    assert result.logits == pytest.approx(expected, abs=1e-5)


def test_no_member_is_infinitely_sure():
    sure = np.array([[900.0, 0.0, 0.0, 0.0]], np.float32)
    output = EngineOutput(sure, np.ones((1, 2), np.float32), np.broadcast_to(sure, (1, 2, 2, 4)).copy())
    assert np.isfinite(combine([output, output], [Calibration(), Calibration()]).logits).all()


def test_members_with_other_channels_and_ranges_get_their_own_input():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
    source, target = Preprocessing(size=8), Preprocessing(size=8, channels=1, low=0.0, high=255.0)
    made = converted(to_input(pixels, parameters=source), source=source, target=target)
    assert made == pytest.approx(to_input(pixels, parameters=target), abs=1e-3)


def test_a_member_of_another_version_stops_the_ensemble(own_models):
    write_card(own_models / "two", read_card(own_models / "two") | {"version": "2"})
    with pytest.raises(ModelError, match="Make and calibrate the ensemble again"):
        load_engine(own_models / "both", engine="keras")


def test_a_changed_list_of_members_is_found(own_models):
    path = own_models / "both" / "members.json"
    path.write_text(json.dumps({"members": json.loads(path.read_text())["members"][:1]}))
    with pytest.raises(ModelError, match="not the file that its card describes"):
        load_card(own_models / "both")


def test_a_smaller_member_gets_the_image_resized(own_models, exports):
    card = read_card(own_models / "one")
    write_card(own_models / "one", card | {"input": card["input"] | {"size": 96}})
    make_ensemble(own_models / "mixed", members=["one", "two"], version="1")
    assert load_card(own_models / "mixed").preprocessing.size == 299
    engines = [load_engine(own_models / name, engine="keras", exports=exports) for name in ("mixed", "one", "two")]
    parameters = [each.card.preprocessing for each in engines]
    # Smooth, like an image that was reduced.
    x = np.linspace(0, 6, 400)
    image = (127 + 120 * np.sin(x)[:, None] * np.cos(2 * x)).astype(np.uint8)
    inputs = [preprocess(image, parameters=each)[None] for each in parameters]
    small = converted(inputs[0], source=parameters[0], target=parameters[1])
    assert small == pytest.approx(inputs[1], abs=0.02)
    p, q = (
        engine.card.calibration.probabilities(engine.predict(own).logits)
        for engine, own in zip(engines[1:], (small, inputs[2]), strict=True)
    )
    assert engines[0].predict(inputs[0]).logits == pytest.approx((np.log(p) + np.log(q)) / 2, abs=1e-4)


def test_a_resized_input_stays_in_its_range():
    pixels = np.zeros((1, 32, 32), np.uint8)
    pixels[:, :, 16:] = 255
    source, target = Preprocessing(size=32), Preprocessing(size=20, low=0.0, high=1.0, channels=1)
    made = converted(to_input(pixels, parameters=source), source=source, target=target)
    assert made.shape == (1, 20, 20, 1)
    assert (made.min(), made.max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "said"), [({"resize": "bilinear"}, "with one method"), ({"size": 320}, "as large as")]
)
def test_members_whose_input_cannot_be_made_stop_the_ensemble(change, said, own_models):
    card = read_card(own_models / "two")
    write_card(own_models / "two", card | {"input": card["input"] | change})
    with pytest.raises(ModelError, match=said):
        load_engine(own_models / "both", engine="keras")


def test_members_of_different_protocols_make_no_ensemble(own_models):
    write_card(own_models / "two", read_card(own_models / "two") | {"training": {"protocol": "official"}})
    with pytest.raises(ModelError, match="different protocols"):
        make_ensemble(own_models / "other", members=["one", "two"], version="1")


@pytest.mark.parametrize("members", [["one"], ["one", "one"], ["one", "both"]])
def test_an_ensemble_needs_two_single_models(own_models, members):
    with pytest.raises(ModelError):
        make_ensemble(own_models / "both", members=members, version="1")
