"""The arithmetic to a thousand images a second uses measured figures alone."""

from bench.arithmetic import NEEDED, arithmetic


def spread(median: float) -> dict[str, float]:
    return {"count": 1, "p50": median, "p95": median, "max": median}


def measured() -> dict[str, dict]:
    figures = {"database": spread(4.0), "processor": spread(20.0), "statements": 10.0, "transactions": 5.0}
    writes = {name: {"full": figures} for name in ("upload", "claim")} | {"claimed_at_once": 4}
    return {
        "scaling": {
            "wait_seconds": 0.05,
            "workers": [
                {"workers": 1, "analyses_a_second": 20.0, "statements_an_analysis": 2.5},
                {"workers": 4, "analyses_a_second": 40.0, "statements_an_analysis": 2.5},
            ],
        },
        "throughput-servers": {
            "machine": {"cores": 2},
            "engine": "tiny",
            "rounds": [{"pipeline": 8.0}, {"pipeline": 10.0}, {"pipeline": 30.0}],
        },
        "history-servers": {"writes": writes, "machine": {"cores": 2}, "load_average_before": [1.0, 1.0, 1.0]},
    }


def needs() -> list[str]:
    return [line.split(" | ")[1] for line in arithmetic(measured()).splitlines()[2:] if line.startswith("|")]


def test_the_needs_follow_from_the_measurements():
    assert needs() == ["100", "50–100", "12,500", "5,000", "4.0", "1.0", "20.0"]


def test_without_one_of_the_measurements_there_is_no_arithmetic():
    for name in NEEDED:
        assert arithmetic({key: value for key, value in measured().items() if key != name}) == ""
