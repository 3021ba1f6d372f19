"""bfloat16 says what float32 says."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.inference.analyser import Analyser
from classifier.inference.calibration import Calibration
from classifier.inference.decision import decide
from classifier.inference.engines import choose_engine, is_computed_here, load_engine, prepare_model
from classifier.inference.engines import openvino_bf16 as module
from classifier.inference.engines.base import EngineOutput
from classifier.inference.engines.openvino_bf16 import LEAD_ERROR, PROBABILITY_ERROR, SCORE_ERROR, is_doubtful
from classifier.inference.ood import OodDetector, Statistics
from classifier.inference.preprocessing import preprocess_batch
from classifier.inference.registry import ModelError, Thresholds
from tests.inference.conftest import SHIPPED

NAME = "openvino_bf16"
needs_bfloat16 = pytest.mark.skipif(not is_computed_here(NAME), reason="this processor does not compute in bfloat16")


def output_of(*logits, features=None):
    rows = np.array(logits, np.float32)
    features = np.ones((len(rows), 8), np.float32) if features is None else features
    return EngineOutput(rows, features, np.zeros((len(rows), 10, 10, 4), np.float32))


@pytest.fixture
def card(tiny):
    """Sure from 0.8 on, everything possible from 0.1 on."""
    thresholds = Thresholds(0.8, notumor=0.8)
    return replace(tiny.card, calibration=Calibration(), thresholds=thresholds, possible_from=(0.1, 0.1, 0.1, 0.1))


def test_a_clear_decision_is_not_doubted(card):
    assert not is_doubtful(output_of([9, 0, 0, 0], [0, 0, 0, 9]), card, detector=None).any()


@pytest.mark.parametrize(
    "logits",
    [
        # Two findings nearly alike; at the threshold of an answer; at the threshold of what remains possible.
        [5.0, 5.0 - LEAD_ERROR / 2, 0, 0],
        [np.log(4.0) + LEAD_ERROR / 2, 0, -9, -9],
        [np.log(9.0) + LEAD_ERROR / 2, 0, -9, -9],
        # Far from everything but with a percentage that would visibly change.
        [np.log(3.9), 0, -9, -9],
    ],
)
def test_a_close_decision_is_doubted(card, logits):
    assert is_doubtful(output_of(logits), card, detector=None).all()


def test_no_error_of_several_logits_together_goes_unseen(card):
    """Whatever is not doubted decides the same with all logits moved at once, as long as no lead is moved further."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (300, 4)).astype(np.float32)
    doubted = is_doubtful(output_of(*logits), card, detector=None)
    assert 0 < doubted.sum() < len(doubted)
    for row in logits[~doubted]:
        told = decide(row, card)
        for change in random.uniform(-LEAD_ERROR / 2, LEAD_ERROR / 2, (50, 4)):
            moved = decide((row + change).astype(np.float32), card)
            assert (moved.outcome, moved.finding, set(moved.possible)) == (
                told.outcome,
                told.finding,
                set(told.possible),
            )
            assert np.allclose(moved.probabilities, told.probabilities, atol=PROBABILITY_ERROR)


def test_a_score_near_the_limit_of_brain_mr_is_doubted(card):
    usual = np.eye(8, dtype=np.float32)
    statistics = Statistics.fit(usual, np.random.default_rng(0).random((8, 13), np.float32), axes=2)
    features = np.array([[1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, -1]], np.float32)
    output = output_of([9, 0, 0, 0], [9, 0, 0, 0], features=features)
    far = float(statistics.feature_distance(features)[1])
    for limit, expected in [(far, [False, True]), (far / (1 + 2 * SCORE_ERROR), [False, False])]:
        detector = OodDetector(statistics, feature_limit=limit, appearance_limit=1.0)
        assert abs(detector.feature_score(features)[0] - 1) > SCORE_ERROR
        assert is_doubtful(output, card, detector=detector).tolist() == expected


def test_only_doubtful_images_run_again(tiny, monkeypatch):
    """And each gets its own numbers."""
    engine = object.__new__(module.OpenVinoBf16Engine)
    engine.card, engine._detector, engine._rounded, engine._exact = tiny.card, None, "rounded", "exact"
    batch = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
    runs = []

    def run(request, images):
        runs.append((request, images.ravel().tolist()))
        value = 1.0 if request == "exact" else 0.0
        return output_of(*([[value, index, 0, 0] for index in images.ravel()]))

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "is_doubtful", lambda output, card, detector: output.logits[:, 1] != 1)
    output = engine.predict(batch)
    assert runs == [("rounded", [0, 1, 2]), ("exact", [0, 2])]
    assert output.logits[:, :2].tolist() == [[1, 0], [0, 1], [1, 2]]


def test_a_processor_without_bfloat16_is_told_what_to_choose(tiny_folder, monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    flags.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n")
    monkeypatch.setattr(module, "CPU_FLAGS", flags)
    with pytest.raises(ModelError, match=r"AVX-512 BF16 or AMX, which this machine has not\. Choose openvino,"):
        load_engine(tiny_folder, engine=NAME)
    flags.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n")
    assert choose_engine(NAME) == NAME


@needs_bfloat16
def test_it_runs_the_graph_of_openvino(tiny_folder, exports):
    assert prepare_model(tiny_folder, engine=NAME, exports=exports) == prepare_model(
        tiny_folder, engine="openvino", exports=exports
    )
    engine = load_engine(tiny_folder, engine=NAME, exports=exports)
    assert (engine.name, engine.card.name) == (NAME, "tiny")


@needs_bfloat16
@pytest.mark.real_weights
def test_the_shipped_network_decides_the_same(samples, exports):
    exact, rounded = (Analyser.from_folder(SHIPPED, engine=name, exports=exports) for name in ("openvino", NAME))
    images = [pixels for _, pixels in samples]
    inputs = preprocess_batch(images, parameters=exact.card.preprocessing)
    expected, received = exact.engine.predict(inputs), rounded.engine.predict(inputs)
    np.testing.assert_allclose(received.logits, expected.logits, atol=LEAD_ERROR)
    for one, other in zip(exact.analyse(images), rounded.analyse(images), strict=True):
        assert (one.decision.outcome, one.decision.finding) == (other.decision.outcome, other.decision.finding)
        assert set(one.decision.possible) == set(other.decision.possible)
