import pytest

from bench.memory import Sample, Size, summarize
from bench.throughput import EDGE, stored_rate


def test_results_of_a_batch_are_stored_at_once_and_still_counted_right():
    # Batches of four, one each half second.
    finished = [batch * 0.5 for batch in range(25) for _ in range(4)]
    assert stored_rate(finished) == pytest.approx(8.0)


def test_a_slow_first_batch_is_left_out():
    finished = [-30.0] * EDGE + [number * 0.1 for number in range(50)]
    assert stored_rate(finished) == pytest.approx(10.0)


def test_growth_compares_the_end_with_the_time_when_caches_had_filled():
    held = {0: 100.0, 400: 190.0, 500: 200.0, 550: 202.0, 600: 200.0, 4900: 210.0, 4950: 220.0, 5000: 210.0}
    samples = [Sample(finished, {"worker": value}, {"worker": value / 2}) for finished, value in held.items()]
    figures = summarize(samples, size=Size(analyses=5000, settled=500, scans=1, starts=1))["worker"]
    assert figures["resident_growth"] == pytest.approx(0.05)
    assert figures["private_growth"] == pytest.approx(0.05)
    assert (figures["at_start"], figures["most"]) == (100.0, 220.0)
