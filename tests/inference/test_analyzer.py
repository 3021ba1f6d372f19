from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from classifier.findings import FINDINGS, Outcome


def test_images_of_any_size_share_a_batch(tiny, gray):
    results = tiny.analyze([gray, np.ascontiguousarray(gray.T), np.zeros((512, 512), np.uint8)])
    assert len(results) == 3
    for result in results:
        assert result.class_maps.shape == (10, 10, 4)
        assert result.class_maps.dtype == np.float16
        assert result.milliseconds > 0
        assert sum(result.decision.probabilities) == pytest.approx(1, abs=1e-5)


def test_no_images_give_no_results(tiny):
    assert tiny.analyze([]) == []


def test_threads_may_share_an_analyzer(tiny, gray):
    expected = tiny.analyze([gray])[0].decision.probabilities
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: tiny.analyze([gray])[0], range(8)))
    for result in results:
        assert result.decision.probabilities == pytest.approx(expected, abs=1e-6)


def test_a_color_image_is_an_error(tiny):
    with pytest.raises(ValueError, match="Received"):
        tiny.analyze([np.zeros((64, 64, 3), np.uint8)])


@pytest.mark.real_weights
def test_the_shipped_model_reads_the_samples(shipped, samples):
    results = shipped.analyze([pixels for _, pixels in samples])
    called = [FINDINGS[int(np.argmax(result.decision.probabilities))] for result in results]
    right = [call == finding for call, (finding, _) in zip(called, samples, strict=True)]
    assert sum(right) >= len(samples) - 1
    assert all(result.decision.outcome is not Outcome.NOT_BRAIN_MRI for result in results)


@pytest.mark.real_weights
def test_the_shipped_model_refuses_what_is_no_brain(shipped):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300)).astype(np.uint8)
    page = np.full((400, 300), 255, np.uint8)
    page[20:380:14, 20:280] = 0
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((40, 40))).astype(np.uint8) * 255
    for result in shipped.analyze([noise, page, checks]):
        assert result.decision.outcome is Outcome.NOT_BRAIN_MRI
