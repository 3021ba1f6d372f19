"""OodDetector: by the network's features, and by how an image appearance."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.findings import Outcome
from classifier.inference.appearance import FEATURES, appearance_statistics, describe
from classifier.inference.ood import LIMIT, OodDetector, Statistics
from classifier.inference.preprocessing import preprocess_batch
from classifier.inference.registry import ModelError, OodCard


@pytest.fixture
def usual():
    """Features that vary in three of eight directions, and appearance statistics of moderate variance."""
    random = np.random.default_rng(0)
    features = np.zeros((200, 8), np.float32)
    features[:, :4] = [1, 0, 0, 0] + random.normal(0, 0.2, (200, 4)) * [0, 1, 1, 1]
    return features, random.normal(0.5, 0.1, (200, len(FEATURES))).astype(np.float32)


@pytest.fixture
def detector(usual):
    statistics = Statistics.fit(*usual, axes=3)
    limits = statistics.feature_distance(usual[0]).max(), statistics.appearance_distance(usual[1]).max()
    # Twice the largest distance of each kind: the norm of both stays below the limit.
    return OodDetector(statistics, feature_limit=2 * float(limits[0]) + 1e-3, appearance_limit=2 * float(limits[1]))


def test_usual_images_pass(detector, usual):
    assert (detector.score(*usual) <= LIMIT).all()


def test_features_in_an_unusual_direction_are_refused(detector, usual):
    unusual = usual[0][:1] + np.eye(8, dtype=np.float32)[7:]
    assert detector.score(unusual, usual[1][:1]) > LIMIT


def test_a_unusual_appearance_is_refused_whatever_the_features_say(detector, usual):
    assert detector.score(*(part[:1] for part in usual)) <= LIMIT
    assert detector.score(usual[0][:1], usual[1][:1] + 2) > LIMIT


def test_an_image_that_is_rather_far_in_both_is_refused(usual):
    statistics = Statistics.fit(*usual, axes=3)
    features = usual[0][:1] + 0.5 * np.eye(8, dtype=np.float32)[7:]
    appearance = statistics.appearance_mean[None] + np.float32(0.5)
    limits = statistics.feature_distance(features)[0] / 0.8, statistics.appearance_distance(appearance)[0] / 0.8
    detector = OodDetector(statistics, feature_limit=float(limits[0]), appearance_limit=float(limits[1]))
    assert detector.score(features, appearance) == pytest.approx([0.8 * 2**0.5], rel=1e-3)
    assert detector.score(features, appearance) > LIMIT
    assert detector.score(features, statistics.appearance_mean[None]) == pytest.approx([0.8], rel=1e-3)


def test_the_appearance_distance_is_that_of_mahalanobis(usual):
    """Up to the small ridge: along an axis of independent numbers, so many standard deviations."""
    statistics = Statistics.fit(*usual, axes=3)
    shift = np.zeros((1, len(FEATURES)), np.float32)
    shift[0, 4] = 3 * usual[1][:, 4].std()
    assert statistics.appearance_distance(statistics.appearance_mean + shift) == pytest.approx([3], rel=0.1)


def test_saved_statistics_give_the_same_scores(detector, usual, tmp_path):
    detector.statistics.save(tmp_path / "ood.npz")
    loaded = Statistics.load(tmp_path / "ood.npz")
    assert loaded.feature_distance(usual[0]) == pytest.approx(detector.statistics.feature_distance(usual[0]), abs=1e-2)
    assert loaded.appearance_distance(usual[1]) == pytest.approx(
        detector.statistics.appearance_distance(usual[1]), rel=1e-4
    )


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_an_unusable_file_is_a_sentence(tiny, tmp_path, content):
    path = tmp_path / "ood.npz"
    path.write_bytes(content)
    card = OodCard(replace(tiny.card.weights, path=path), feature_limit=1.0, appearance_limit=1.0)
    with pytest.raises(ModelError, match="is not usable"):
        OodDetector.load(card)


def test_appearance_is_that_of_the_image(tiny):
    """Of what the network gets: sizes do not matter, brightness does."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (96, 96)).astype(np.uint8)
    parameters = tiny.card.preprocessing
    appearance = appearance_statistics(
        preprocess_batch([image, image // 2], parameters=parameters), parameters=parameters
    )
    assert appearance.shape == (2, len(FEATURES))
    assert appearance[0, 0] == pytest.approx(image.mean() / 255, abs=0.02)
    assert appearance[1, 0] == pytest.approx(appearance[0, 0] / 2, abs=0.01)
    assert describe(np.zeros((0, 9, 9), np.float32)).shape == (0, len(FEATURES))


@pytest.mark.real_weights
def test_the_shipped_model_refuses_inverted_images_and_no_sample(shipped, samples):
    images = [pixels for _, pixels in samples]
    assert all(result.decision.outcome is not Outcome.NOT_BRAIN_MRI for result in shipped.analyze(images))
    inverted = shipped.analyze([255 - pixels for pixels in images])
    assert all(result.decision.outcome is Outcome.NOT_BRAIN_MRI for result in inverted)
